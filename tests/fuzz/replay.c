/* Drives a fuzz target without libFuzzer: every file of the directories that are named, each whole,
 * cut short, and with some bytes changed. The same changes each time. */
#include <dirent.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { LARGEST = 1 << 20, CUTS = 64, CHANGES = 200, MAX_CHANGED = 4 };

static unsigned long runs;

static void run(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1); /* of just that size, for AddressSanitizer */
    fuzz_check(copy);
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

static uint64_t draw(void) { /* SplitMix64 */
    static uint64_t state;
    uint64_t x = state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t most) {
    (void)most;
    for (uint64_t left = size > 0 ? 1 + draw() % MAX_CHANGED : 0; left > 0; left--)
        bytes[draw() % size] ^= (uint8_t)(1 << draw() % 8);
    return size;
}

/* A target may have a better one. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most,
                                                     unsigned seed) {
    (void)seed;
    return LLVMFuzzerMutate(bytes, size, most);
}

static void run_changed(const uint8_t *bytes, size_t size) {
    static uint8_t changed[LARGEST];
    for (int i = 0; i < CHANGES; i++) {
        memcpy(changed, bytes, size);
        run(changed, LLVMFuzzerCustomMutator(changed, size, LARGEST, (unsigned)draw()));
    }
}

static void run_file(const char *path) {
    static uint8_t bytes[LARGEST];
    FILE *file = fopen(path, "rb");
    fuzz_check(file);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    run(bytes, size);
    for (size_t i = 0; i < CUTS; i++)
        run(bytes, size * i / CUTS);
    run_changed(bytes, size);
}

int main(int argc, char **argv) {
    int files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        fuzz_check(directory);
        for (struct dirent *entry; (entry = readdir(directory));) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] == '.')
                continue;
            run_file(path);
            files++;
        }
        closedir(directory);
    }
    printf("%d seeds, %lu runs\n", files, runs);
    return files > 0 ? 0 : 1;
}
