/* net/creds_bed.h - a world of its own for tests of credentials: an empty HOME, a PATH, an environment without surprises. */
#ifndef MLR_TESTS_NET_CREDS_BED_H
#define MLR_TESTS_NET_CREDS_BED_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "bed/bed.h"

typedef struct creds_bed { char dir[64]; } creds_bed;

/* HOME is DIR/home, PATH begins with DIR/bin, and none of the other variables is set. */
static inline void creds_bed_make(creds_bed *b)
{
    static const char *const unset[] = {"DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"};
    char                     value[128];

    bed_dir_make(b->dir);
    for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++)
        unsetenv(unset[i]);
    snprintf(value, sizeof value, "%s/bin:/usr/bin:/bin", b->dir);
    setenv("PATH", value, 1);
    snprintf(value, sizeof value, "%s/home", b->dir);
    setenv("HOME", value, 1);
    mkdir(value, 0700);
}

static inline void creds_bed_remove(creds_bed *b)
{
    bed_dir_remove(b->dir);
}

/* Writes DIR/name, making the directories on the way. */
static inline void creds_bed_write_bytes(const creds_bed *b, const char *name, const void *data, size_t len, mode_t mode)
{
    char  path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", b->dir, name);
    for (char *slash = strchr(path + strlen(b->dir) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    if ((f = fopen(path, "we")) == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0 || chmod(path, mode) != 0)
        abort();
}

static inline void creds_bed_write(const creds_bed *b, const char *name, const char *text)
{
    creds_bed_write_bytes(b, name, text, strlen(text), 0600);
}

/* A docker-credential-SUFFIX that is this shell script. "$D" in it is DIR. */
static inline void creds_bed_helper(const creds_bed *b, const char *suffix, const char *script)
{
    char name[128], *text = NULL;

    snprintf(name, sizeof name, "bin/docker-credential-%s", suffix);
    if (asprintf(&text, "#!/bin/sh\nD='%s'\n%s\n", b->dir, script) < 0)
        abort();
    creds_bed_write_bytes(b, name, text, strlen(text), 0700);
    free(text);
}

/* The content of DIR/name, or NULL; free(). */
static inline char *creds_bed_read(const creds_bed *b, const char *name)
{
    char   path[512], *text = NULL;
    size_t room = 0;
    FILE  *f;

    snprintf(path, sizeof path, "%s/%s", b->dir, name);
    if ((f = fopen(path, "re")) == NULL)
        return NULL;
    if (getdelim(&text, &room, EOF, f) < 0 && (text = realloc(text, 1)) != NULL)
        text[0] = '\0';
    fclose(f);
    return text;
}
#endif
