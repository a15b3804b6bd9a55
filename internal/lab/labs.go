package lab

var labs = []*Lab{
	twoQueuesLab,
	twentyClientsLab,
	fullQueueLab,
	refusedOrDroppedLab,
	latencyStepsLab,
	synTimeoutLab,
	synFloodLab,
	believesConnectedLab,
	somaxconnLab,
	figure410Lab,
	phpFPM502Lab,
	connectTimeoutLab,
}
