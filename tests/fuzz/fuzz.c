/* fuzz/fuzz.c - the targets by name, and libFuzzer's way in: FUZZ_TARGET says which. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

const fuzz_target *fuzz_find(const char *name)
{
    const fuzz_target *const all[] = { fuzz_texts, fuzz_files, fuzz_trees };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const fuzz_target *t = all[i]; t->name != NULL; t++)
            if (strcmp(t->name, name) == 0)
                return t;
    return NULL;
}

static const fuzz_target *chosen;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("FUZZ_TARGET");

    (void)argc;
    (void)argv;
    if (name == NULL || (chosen = fuzz_find(name)) == NULL) {
        fprintf(stderr, "FUZZ_TARGET names no target\n");
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    chosen->run(data, len);
    return 0;
}
