package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// lie is what an impostor says: it is the terminal that is meant.
const lie = "\x1b]0;owned\x07\x1b[31m\u009b2J\u202eexe\u2066\x7f\r\ntcplab0 is down: all is well"

// impostor is a program for scripts: impostor USER OWNER listens as USER at the place
// of tcplab0's control socket in OWNER's directory, and answers everything with lies.
func impostor() {
	if err := impersonate(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func impersonate(user, owner string) error {
	uid, err := strconv.Atoi(user)
	if err != nil {
		return err
	}
	ownerID, err := strconv.Atoi(owner)
	if err != nil {
		return err
	}
	var namespace unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &namespace); err != nil {
		return err
	}
	dir := filepath.Join(os.Getenv("TCPLAB_RUN_DIR"), owner)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chown(dir, ownerID, ownerID); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil { // the way to it is closed to the user
		return err
	}
	if err := syscall.Setgid(uid); err != nil {
		return err
	}
	if err := syscall.Setuid(uid); err != nil {
		return err
	}
	l, err := net.Listen("unix", fmt.Sprintf("%d-tcplab0.sock", namespace.Ino))
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(answerLies))
}

func answerLies(w http.ResponseWriter, r *http.Request) {
	const addr = "[fe80::1%\x1b[31m]:80"
	entries := map[string]any{"length": 1, "entries": []any{map[string]any{"client": addr, "state": lie}}}
	answer := map[string]any{
		"dev": lie, "app": lie, "accept": lie, "changed": []string{lie}, "ended": []string{lie},
		"links":  []any{map[string]any{"host": "192.0.2.1/24", "addr": "fe80::1%\x1b[31m"}},
		"totals": map[string]int{lie: 1}, "counters": map[string]int{lie: 1}, "clients": []string{addr}, "taken": 1,
		"sockets":   []any{map[string]any{"state": lie, "local": addr, "peer": addr}},
		"listeners": []any{map[string]any{"addr": addr, "profile": lie, "rule": lie, "syn_timeout": lie, "incomplete": entries, "completed": entries}},
		"client":    addr, "server": addr, "event": lie, "reason": lie, "kind": lie,
	}
	switch r.URL.Path {
	case "/v1/set", "/v1/capture":
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]any{"error": lie}
	case "/v1/down":
		answer = map[string]any{"totals": map[string]int{lie: 1}}
	}
	_ = json.NewEncoder(w).Encode(answer)
}
