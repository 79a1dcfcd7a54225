//go:build !linux

package main

import "os/exec"

// Without a way to keep a process to some processors, cells run where the system
// puts them. Invariant and cost: none.

// startPinned starts a command.
func startPinned(cmd *exec.Cmd, processors int) error { return cmd.Start() }
