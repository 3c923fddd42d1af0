/*
 * embed.h - source files as constants of the program.
 */
#ifndef SERVER_BASE_EMBED_H
#define SERVER_BASE_EMBED_H

/* The bytes of the files, one after the other, from `name` to `name_end`, followed by a '\0'; for
 * one C file. The Makefile makes its object depend on the embedded files. */
// clang-format off
#define EMBED(name, ...)                                             \
    extern const char name[], name##_end[];                          \
    __asm__(".pushsection .rodata\n" #name ":\n"                     \
            ".irp path, " #__VA_ARGS__ "\n.incbin \"\\path\"\n.endr\n" \
            #name "_end: .byte 0\n.popsection")
// clang-format on

#endif
