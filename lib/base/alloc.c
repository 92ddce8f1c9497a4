/* base/alloc.c - memory: every allocation of the library, sizes checked, behind one seam. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROW_FIRST 8   /* elements of a growing array's first room */

static void *system_resize(void *user, void *p, size_t bytes)
{
    (void)user;
    return realloc(p, bytes);
}

static void system_release(void *user, void *p)
{
    (void)user;
    free(p);
}

static const mlr_allocator system_allocator = {system_resize, system_release, NULL};
static const mlr_allocator *in_use = &system_allocator;

void mlr_alloc_use(const mlr_allocator *allocator)
{
    in_use = allocator != NULL ? allocator : &system_allocator;
}

/* A request for nothing gets one byte, so that NULL always means failure. Pointers into anything larger than
 * PTRDIFF_MAX could not be subtracted. */
static void *resize(void *p, size_t bytes)
{
    if (bytes > PTRDIFF_MAX)
        return NULL;
    return in_use->resize(in_use->user, p, bytes > 0 ? bytes : 1);
}

void *mlr_alloc(size_t bytes)
{
    void *p;

    /* calloc knows which pages are zero already, so large buffers stay untouched until they are used. */
    if (in_use == &system_allocator)
        return bytes <= PTRDIFF_MAX ? calloc(1, bytes > 0 ? bytes : 1) : NULL;
    if ((p = resize(NULL, bytes)) != NULL)
        memset(p, 0, bytes);
    return p;
}

void *mlr_alloc_array(size_t n, size_t each_bytes)
{
    size_t bytes;

    return __builtin_mul_overflow(n, each_bytes, &bytes) ? NULL : mlr_alloc(bytes);
}

void *mlr_realloc_array(void *p, size_t n, size_t each_bytes)
{
    size_t bytes;

    return __builtin_mul_overflow(n, each_bytes, &bytes) ? NULL : resize(p, bytes);
}

char *mlr_strdup(const char *s)
{
    return mlr_strndup(s, strlen(s));
}

char *mlr_strndup(const char *s, size_t len)
{
    char *copy = len < PTRDIFF_MAX ? resize(NULL, len + 1) : NULL;

    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *mlr_asprintf(const char *format, ...)
{
    va_list args;
    char   *text = NULL;
    int     len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || (text = resize(NULL, (size_t)len + 1)) == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void mlr_free(void *p)
{
    if (p != NULL)
        in_use->release(in_use->user, p);
}

int mlr_grow(void *items, size_t *cap, size_t n, size_t each_bytes)
{
    size_t room = *cap > 0 ? *cap : GROW_FIRST;
    void  *old, *grown;

    if (n < *cap)
        return 0;
    while (room <= n)
        if (__builtin_mul_overflow(room, 2, &room))
            return -1;
    memcpy(&old, items, sizeof old);       /* `items` points at a pointer of some other type */
    if ((grown = mlr_realloc_array(old, room, each_bytes)) == NULL)
        return -1;
    memcpy(items, &grown, sizeof grown);
    *cap = room;
    return 0;
}
