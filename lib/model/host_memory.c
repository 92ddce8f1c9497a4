/* model/host_memory.c - how much memory a process here may use: the machine's, or less where its control groups say so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model/host_parts.h"

#define FILE_BYTES  4096
#define PATH_BYTES  4096
#define NAME_BYTES  2048

static void lower(mlr_host *h, uint64_t bytes)
{
    if (bytes > 0 && (h->memory_bytes == 0 || bytes < h->memory_bytes))
        h->memory_bytes = bytes;
}

/* The limit of one group; "max", or no such file, is none. Version 1 writes "none" as a number near 2^63. */
static void lower_to(const mlr_host_roots *r, const char *mount, const char *group, const char *file, mlr_host *h)
{
    char path[PATH_BYTES], text[64];

    snprintf(path, sizeof path, "%s%s/%s", mount, group, file);
    if (mlr_host_file(r, path, text, sizeof text))
        lower(h, strtoull(text, NULL, 10));
}

/* A group's, and those of all groups around it. In a container the path may be the one outside: then only the top is there. */
static void lower_to_groups(const mlr_host_roots *r, const char *mount, const char *group, const char *file, mlr_host *h)
{
    char name[NAME_BYTES], *slash;

    snprintf(name, sizeof name, "%s", group);
    while ((slash = strrchr(name, '/')) != NULL) {
        lower_to(r, mount, strcmp(name, "/") == 0 ? "" : name, file, h);
        *slash = '\0';
    }
    lower_to(r, mount, "", file, h);
}

static void look_at_group(const mlr_host_roots *r, char *line, mlr_host *h)
{
    char *controllers = strchr(line, ':'), *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

    if (group == NULL)
        return;
    *group++ = '\0';
    if (controllers[1] == '\0') {
        lower_to_groups(r, "/sys/fs/cgroup", group, "memory.max", h);
        lower_to_groups(r, "/sys/fs/cgroup/unified", group, "memory.max", h);
    } else if (strcmp(controllers + 1, "memory") == 0) {
        lower_to_groups(r, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", h);
    }
}

int mlr_host_memory(const mlr_host_roots *r, mlr_host *h, mlreg_error **err)
{
    char text[FILE_BYTES], *rest = text, *line;
    const char *total;

    (void)err;
    if (mlr_host_file(r, "/proc/meminfo", text, sizeof text) && (total = mlr_host_line(text, "MemTotal")) != NULL)
        h->memory_bytes = strtoull(total, NULL, 10) * 1024;
    if (!mlr_host_file(r, "/proc/self/cgroup", text, sizeof text))
        return 0;
    while ((line = strsep(&rest, "\n")) != NULL)
        look_at_group(r, line, h);
    return 0;
}
