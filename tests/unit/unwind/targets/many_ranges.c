// A small file with much to look at: DIE after DIE refers to one long list of ranges, that of a
// unit's function, of an inlined one, of a unit. What comes behind them is too far away.
#define TEXT(...) #__VA_ARGS__
#define VALUE(x) TEXT(x)
#define FUNCTION(name) ".globl " #name "\n" #name ": .skip 16, 0x90\n"
// By the abbreviations below.
#define UNIT "1: .long 3f-2f\n2: .short 4\n .long abbreviations\n .byte 8\n"
#define UNIT_OF(function) UNIT " .byte 1\n .quad " #function ", 16\n"
#define FUNCTION_DIE(code, name) " .byte " #code "\n .asciz \"" #name "\"\n .quad " #name ", 16\n"
#define INLINED_DIE(name, at) " .byte 4\n .asciz \"" #name "\"\n .quad " #at ", 16\n"
#define END_OF_UNIT " .byte 0\n3:\n"

#define RANGES 16384

__asm__(".text\n" FUNCTION(sound) FUNCTION(crowded) FUNCTION(far_function) FUNCTION(far_unit)
        ".pushsection .debug_abbrev,\"\",@progbits\n"
        "abbreviations:\n"
        " .byte 1, 0x11, 1, 0x11, 1, 0x12, 7, 0, 0\n"        // a unit, low_pc, high_pc
        " .byte 2, 0x2e, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0\n"  // a function, name, low_pc, high_pc
        " .byte 3, 0x2e, 0, 0x55, 0x17, 0, 0\n"              // a function, ranges
        " .byte 4, 0x1d, 0, 3, 8, 0x11, 1, 0x12, 7, 0, 0\n"  // an inlined one as 2
        " .byte 5, 0x1d, 0, 0x55, 0x17, 0, 0\n"              // an inlined one as 3
        " .byte 6, 0x11, 0, 0x55, 0x17, 0, 0\n"              // a unit, ranges
        " .byte 0\n"
        ".popsection\n"
        ".pushsection .debug_ranges,\"\",@progbits\n"
        "empty: .rept " VALUE(RANGES) "\n .quad 1, 1\n .endr\n .quad 0, 0\n"
        "others: .rept " VALUE(RANGES) "\n .quad 1, 2\n .endr\n .quad 0, 0\n"
        ".popsection\n"
        ".pushsection .debug_info,\"\",@progbits\n"
        UNIT_OF(sound) FUNCTION_DIE(2, sound) INLINED_DIE(inlined, sound) " .byte 0\n" END_OF_UNIT
        UNIT_OF(crowded) FUNCTION_DIE(2, crowded)
        " .rept 80\n .byte 5\n .long empty\n .endr\n"
        INLINED_DIE(far_inlined, crowded) " .byte 0\n" END_OF_UNIT
        UNIT_OF(far_function)
        " .rept 160\n .byte 3\n .long others\n .endr\n"
        FUNCTION_DIE(2, far_function) " .byte 0\n" END_OF_UNIT
        ".rept 280\n" UNIT " .byte 6\n .long empty\n3:\n.endr\n"
        UNIT_OF(far_unit) FUNCTION_DIE(2, far_unit) " .byte 0\n" END_OF_UNIT
        ".popsection\n");

int main(void) {
  return 0;
}
