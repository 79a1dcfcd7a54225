package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// What the figures are of: the machine, and the state of the source.
//
// Invariant: what cannot be found out is said to be unknown. Cost: two calls of
// git.

// machine is what the bench ran on.
type machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	System   string `json:"system"`
	Go       string `json:"go"`
	Postgres string `json:"postgres,omitempty"` // the server's version; empty: there was none
}

// thisMachine describes the machine that the program runs on.
func thisMachine() machine {
	return machine{
		CPU:    cpuModel(),
		Cores:  runtime.NumCPU(),
		System: kernel(),
		Go:     runtime.Version(),
	}
}

// cpuModel returns Linux's name of the first processor's model.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown " + runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown " + runtime.GOARCH
}

// kernel returns the system's name, and its release on Linux.
func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(release))
}

// commit returns the commit that root is at, and whether the files differ.
func commit(root string) string {
	hash, err := git(root, "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "unknown"
	}
	if changes, err := git(root, "status", "--porcelain"); err != nil || changes != "" {
		hash += " + changes"
	}
	return hash
}

func git(root string, args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}
