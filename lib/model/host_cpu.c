/* model/host_cpu.c - architecture, its level, and the features of the first processor: the others are taken for its equals. */
#include <string.h>
#include <sys/utsname.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/host_parts.h"

#define CPUINFO_BYTES 16384          /* one processor's lines; the kernel would take long over all of a large machine */

static const struct { char machine[12], arch[8], variant[3]; } known[] = {
    { "x86_64", "amd64", "" }, { "aarch64", "arm64", "v8" }, { "armv7l", "arm", "v7" }, { "armv6l", "arm", "v6" }, { "i686", "386", "" },
    { "i386", "386", "" }, { "ppc64le", "ppc64le", "" }, { "s390x", "s390x", "" }, { "riscv64", "riscv64", "" },
    { "loongarch64", "loong64", "" },
};

const char *mlr_host_architecture(const char *machine, const char **variant)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].machine, machine) == 0) {
            *variant = known[i].variant[0] != '\0' ? known[i].variant : NULL;
            return known[i].arch;
        }
    *variant = NULL;
    return machine;
}

static bool has(const char *features, const char *name, size_t n)
{
    for (const char *at = features; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");

        if (word == n && strncmp(at, name, n) == 0)
            return true;
        at += word;
    }
    return false;
}

static bool has_all(const char *features, const char *names)
{
    for (; *names != '\0'; names += strspn(names, " ")) {
        size_t n = strcspn(names, " ");

        if (!has(features, names, n))
            return false;
        names += n;
    }
    return true;
}

/* The levels of the x86-64 psABI, which OCI writes as variants of amd64. */
static const char *level(const char *features)
{
    if (!has_all(features, "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"))
        return "v1";
    if (!has_all(features, "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"))
        return "v2";
    return has_all(features, "avx512f avx512bw avx512cd avx512dq avx512vl") ? "v4" : "v3";
}

static int set_arch(const char *machine, mlr_host *h, mlreg_error **err)
{
    const char *variant, *arch = mlr_host_architecture(machine, &variant);

    if (strcmp(arch, "amd64") == 0 && h->cpu[0] != '\0')
        variant = level(h->cpu);
    if ((h->arch = mlr_strdup(arch)) == NULL || (variant != NULL && (h->arch_variant = mlr_strdup(variant)) == NULL))
        return mlr_error_nomem(err);
    return 0;
}

int mlr_host_cpu(const mlr_host_roots *r, mlr_host *h, mlreg_error **err)
{
    char *text = mlr_alloc(CPUINFO_BYTES);
    struct utsname name;
    const char *features = NULL;

    if (text == NULL)
        return mlr_error_nomem(err);
    if (mlr_host_file(r, "/proc/cpuinfo", text, CPUINFO_BYTES) && (features = mlr_host_line(text, "flags")) == NULL)
        features = mlr_host_line(text, "Features"); /* as ARM's kernel writes it */
    h->cpu = mlr_host_word(features != NULL ? features : "");
    mlr_free(text);
    if (h->cpu == NULL)
        return mlr_error_nomem(err);
    if (r->machine == NULL && uname(&name) < 0)
        return mlr_error_set(err, MLREG_EIO, "this machine's architecture cannot be told");
    return set_arch(r->machine != NULL ? r->machine : name.machine, h, err);
}
