#include "textflag.h"

// func framePCs(pcs *[physical]uintptr)
//
// It follows the frame pointers of the callers, as long as they lead upward by less than 1 MiB,
// and clears what is left of the array.
TEXT ·framePCs(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ pcs+0(FP), DI
	MOVQ BP, AX
	XORQ CX, CX

next:
	MOVQ 8(AX), DX
	MOVQ DX, (DI)(CX*8)
	INCQ CX
	CMPQ CX, $24
	JGE  done
	MOVQ (AX), DX
	MOVQ DX, BX
	SUBQ AX, BX
	MOVQ DX, AX
	DECQ BX
	CMPQ BX, $0x100000
	JCS  next

clear:
	MOVQ $0, (DI)(CX*8)
	INCQ CX
	CMPQ CX, $24
	JLT  clear

done:
	RET
