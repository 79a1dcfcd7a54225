#include "textflag.h"

// func framePCs(pcs *[physical]uintptr)
//
// It follows the frame pointers of the callers, as long as they lead upward by less than 1 MiB,
// and clears what is left of the array.
TEXT ·framePCs(SB), NOSPLIT|NOFRAME, $0-8
	MOVD pcs+0(FP), R0
	MOVD R29, R1
	MOVD $24, R2
	MOVD $0x100000, R5

next:
	MOVD 8(R1), R3
	MOVD.P R3, 8(R0)
	SUBS $1, R2
	BEQ  done
	MOVD (R1), R3
	SUB  R1, R3, R4
	MOVD R3, R1
	SUB  $1, R4
	CMP  R5, R4
	BLO  next

clear:
	MOVD.P ZR, 8(R0)
	SUBS $1, R2
	BNE  clear

done:
	RET
