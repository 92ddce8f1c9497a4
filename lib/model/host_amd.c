/* model/host_amd.c - AMD's devices, as the kernel's compute driver lists them: /dev/kfd and the topology in sysfs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/host_parts.h"

#define NODES      "/sys/class/kfd/kfd/topology/nodes"
#define MAX_NODES  256
#define FILE_BYTES 8192

static uint64_t number(const char *text, const char *name)
{
    const char *value = mlr_host_line(text, name);

    return value != NULL ? strtoull(value, NULL, 10) : 0;
}

/* 90402 is gfx942, 90010 gfx90a, 110001 gfx1101: two digits each for minor and stepping, which the name writes in hex. */
static char *target(uint64_t version)
{
    return mlr_asprintf("gfx%u%x%x", (unsigned)(version / 10000), (unsigned)(version / 100 % 100), (unsigned)(version % 100));
}

static uint64_t memory_of(const mlr_host_roots *r, unsigned node, char *text)
{
    uint64_t sum = 0;
    char path[128];

    for (unsigned bank = 0; bank < 16; bank++) {
        snprintf(path, sizeof path, NODES "/%u/mem_banks/%u/properties", node, bank);
        if (!mlr_host_file(r, path, text, FILE_BYTES))
            break;
        sum += number(text, "size_in_bytes");
    }
    return sum;
}

static char *line_of(const mlr_host_roots *r, const char *path, char *text)
{
    return mlr_host_file(r, path, text, FILE_BYTES) && text[0] != '\0' ? mlr_host_word(text) : NULL;
}

/* The nodes are processors too. */
static bool is_device(const char *text)
{
    return number(text, "simd_count") > 0 && number(text, "gfx_target_version") > 0;
}

static int add_node(const mlr_host_roots *r, unsigned node, char *text, mlr_host *h, mlreg_error **err)
{
    uint64_t version = number(text, "gfx_target_version");
    mlr_accelerator a = { 0 };
    char path[128];

    snprintf(path, sizeof path, NODES "/%u/name", node);
    a.kind = mlr_strdup("rocm");
    a.compute = target(version);
    a.name = line_of(r, path, text);
    a.driver = line_of(r, "/sys/module/amdgpu/version", text);
    a.memory_bytes = memory_of(r, node, text);
    return mlr_host_add(h, &a, err);
}

/* Devices that cannot be opened, as in a container that was given none, are named in a note alone. */
static int judge(const mlr_host_roots *r, size_t found, mlr_host *h, mlreg_error **err)
{
    bool usable = mlr_host_there(r, "/dev/kfd");

    if (found > 0 && !usable)
        return mlr_host_note(h, err, "AMD's driver has %zu devices, but /dev/kfd is not here: start the container with --device /dev/kfd --device /dev/dri", found);
    if (found == 0 && usable)
        return mlr_host_note(h, err, "AMD's driver is loaded, but it offers no device");
    return 0;
}

int mlr_host_amd(const mlr_host_roots *r, mlr_host *h, mlreg_error **err)
{
    char *text = mlr_alloc(FILE_BYTES), path[128];
    bool usable = mlr_host_there(r, "/dev/kfd");
    size_t found = 0;
    int rc = 0;

    if (text == NULL)
        return mlr_error_nomem(err);
    for (unsigned i = 0; i < MAX_NODES && rc == 0; i++) {
        snprintf(path, sizeof path, NODES "/%u/properties", i);
        if (!mlr_host_file(r, path, text, FILE_BYTES))
            break;
        if (!is_device(text))
            continue;
        found++;
        rc = usable ? add_node(r, i, text, h, err) : 0;
    }
    mlr_free(text);
    return rc == 0 ? judge(r, found, h, err) : rc;
}
