#include "server/version.h"

#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Both come from the Makefile. */
const char denoised_version[] = DENOISED_VERSION;
const char denoised_commit[] = DENOISED_COMMIT;

static char build[65] = "unknown";

static size_t padded(size_t size) {
    return (size + 3) & ~(size_t)3;
}

/* Notes (elf(5)) are a header, a name and a description, each padded to four bytes. */
static void read_notes(const char *at, const char *end) {
    while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)at;
        const size_t left = (size_t)(end - at) - sizeof *note;
        const size_t name_bytes = padded(note->n_namesz), text_bytes = padded(note->n_descsz);
        if (name_bytes > left || text_bytes > left - name_bytes)
            return;
        const char *name = at + sizeof *note;
        const unsigned char *text = (const unsigned char *)name + name_bytes;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == sizeof "GNU" &&
            memcmp(name, "GNU", sizeof "GNU") == 0)
            for (size_t i = 0; i < note->n_descsz && 2 * i + 2 < sizeof build; i++)
                snprintf(build + 2 * i, 3, "%02x", text[i]);
        at = name + name_bytes + text_bytes;
    }
}

static int read_program(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const char *start = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            read_notes(start, start + info->dlpi_phdr[i].p_memsz);
    }
    return 1; /* the program itself comes first; the libraries do not matter */
}

static void find_build(void) {
    dl_iterate_phdr(read_program, NULL);
}

const char *version_build(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_build);
    return build;
}
