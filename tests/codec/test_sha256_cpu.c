/* tests/codec/test_sha256_cpu.c - what we find out about an x86 processor, against what Linux says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_AVX
static char flags[8192], vendor[256];               /* each begins and ends with a space */

static void keep_value(char *out, size_t size, const char *line)
{
    const char *colon = strchr(line, ':');

    assert_non_null(colon);
    assert_true((size_t)snprintf(out, size, "%.*s ", (int)strcspn(colon + 1, "\n"), colon + 1) < size);
}

static int read_cpuinfo(void)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[8192];

    if (f == NULL)
        return 0;
    while ((flags[0] == '\0' || vendor[0] == '\0') && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "flags", 5) == 0)
            keep_value(flags, sizeof flags, line);
        if (strncmp(line, "vendor_id", 9) == 0)
            keep_value(vendor, sizeof vendor, line);
    }
    fclose(f);
    return flags[0] != '\0' && vendor[0] != '\0';
}

static int has(const char *wanted)                  /* words of flags, each followed by a space */
{
    for (const char *end; (end = strchr(wanted, ' ')) != NULL; wanted = end + 1) {
        char word[32];

        assert_true((size_t)snprintf(word, sizeof word, " %.*s", (int)(end + 1 - wanted), wanted) < sizeof word);
        if (strstr(flags, word) == NULL)
            return 0;
    }
    return 1;
}

static void test_sha256_cpu__finds_what_linux_finds(void **state)
{
    static const char avx512[] = "avx512f avx512vl avx2 ", sha[] = "sha_ni ssse3 sse4_1 ";

    (void)state;
    if (!read_cpuinfo())
        skip();
    assert_int_equal(mlr_sha256_x86_usable(), has(sha));
    assert_int_equal(mlr_sha256_x86_many_usable(), has(sha) && strstr(vendor, "GenuineIntel") == NULL);
    assert_int_equal(mlr_sha256_avx2_usable(), has("avx2 bmi1 bmi2 "));
    assert_int_equal(mlr_sha256_avx512_usable(), has(avx512));
    assert_int_equal(mlr_sha256_avx512_x16_usable(), has("avx512f avx512bw "));
}
#else
static void test_sha256_cpu__finds_what_linux_finds(void **state)
{
    (void)state;
    skip();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_cpu__finds_what_linux_finds),
    };

    return cmocka_run_group_tests_name("codec/sha256_cpu", tests, NULL, NULL);
}
