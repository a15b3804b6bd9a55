// The ladder as text: segments as tcpdump prints them, and between them what the
// listener said.
import { duration } from "./format.js";

export function lines(ladder, steps, numbers) {
  const list = steps.map(step => `${duration(step.at).padStart(8)}  ${step.kind ? `    ${step.event}: ${step.reason}` : segment(ladder, step, numbers)}`);
  if (ladder.omitted) list.splice(ladder.before, 0, `          ${ladder.omitted} steps not kept`);
  return list;
}

function segment(ladder, step, numbers) {
  const [from, to] = step.inbound ? [ladder.client, ladder.server] : [ladder.server, ladder.client];
  const seq = numbers.seq(step);
  const parts = [`Flags [${step.flags}]`, step.length ? `seq ${seq}:${seq + step.length}` : `seq ${seq}`];
  if (step.flags.includes(".")) parts.push(`ack ${numbers.ack(step)}`);
  parts.push(`win ${step.window ?? 0}`, `length ${step.length ?? 0}`);
  return `${from} > ${to}: ${parts.join(", ")}${step.options ?? ""}`;
}
