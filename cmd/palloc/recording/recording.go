// Package recording embeds the trace that the command replays when it is given
// none.
package recording

import _ "embed"

// Name is what the embedded trace is called in reports.
const Name = "pgbench_tpcb"

// TPCB is one PostgreSQL backend serving pgbench's TPC-B-like transactions: its
// memory-context calls from the fork of the postmaster to the end of the
// session, 451,980 of them, gzip'd in the .mctrace format.
//
//go:embed pgbench_tpcb.mctrace.gz
var TPCB string
