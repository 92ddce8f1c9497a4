/* base/holder.c - who holds a lock: written into its file by the one, read for a hint by the others. */
#include "base/holder.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_BYTES 256

static const char prefix[] = "process ";

static void host_name(char out[HOST_BYTES])
{
    if (gethostname(out, HOST_BYTES) < 0)
        out[0] = '\0';
    out[HOST_BYTES - 1] = '\0';
}

/* The file's line without its end, if it is one of ours; else "". False if the file holds anything else. */
static bool read_line(int fd, char out[MLR_HOLDER_BYTES])
{
    ssize_t n = pread(fd, out, MLR_HOLDER_BYTES - 1, 0);

    out[n > 0 ? n : 0] = '\0';
    if (n == 0)
        return true;
    if (n < 0 || strncmp(out, prefix, sizeof prefix - 1) != 0 || strchr(out, '\n') != out + n - 1) {
        out[0] = '\0';
        return false;
    }
    out[n - 1] = '\0';
    return true;
}

bool mlr_holder_write(int fd)
{
    char line[MLR_HOLDER_BYTES], host[HOST_BYTES];
    int  len;

    if (!read_line(fd, line))
        return false;
    host_name(host);
    len = snprintf(line, sizeof line, "%s%ld on %s\n", prefix, (long)getpid(), host);
    return ftruncate(fd, 0) == 0 && pwrite(fd, line, (size_t)len, 0) == len;
}

void mlr_holder_clear(int fd)
{
    if (ftruncate(fd, 0) < 0)
        return;              /* a stale name is found out by whoever reads it */
}

/* A process of this host that is gone. Of other hosts nothing is known. */
static bool is_dead(const char *line)
{
    char  host[HOST_BYTES], *end;
    long  pid = strtol(line + sizeof prefix - 1, &end, 10);

    host_name(host);
    if (pid <= 0 || strncmp(end, " on ", 4) != 0 || strcmp(end + 4, host) != 0)
        return false;
    return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

void mlr_holder_read(int fd, char out[MLR_HOLDER_BYTES])
{
    if (!read_line(fd, out) || out[0] == '\0' || is_dead(out))
        snprintf(out, MLR_HOLDER_BYTES, "another process");
}
