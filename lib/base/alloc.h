/* base/alloc.h - memory: every allocation of the library, sizes checked, behind one seam. */
#ifndef MLR_BASE_ALLOC_H
#define MLR_BASE_ALLOC_H
#include <stddef.h>

/* All of these return NULL when memory is out or a size overflows, never for a size of 0. */
void *mlr_alloc(size_t bytes);                              /* zeroed */
void *mlr_alloc_array(size_t n, size_t each_bytes);         /* zeroed */
void *mlr_realloc_array(void *p, size_t n, size_t each_bytes); /* new room is not zeroed; on NULL `p` stands */
char *mlr_strdup(const char *s);
char *mlr_strndup(const char *s, size_t len);               /* copies exactly `len` bytes and adds the zero */
char *mlr_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void  mlr_free(void *p);                                    /* NULL is fine */

/* Makes room for one more element in a growing array: 0, or -1 and everything as before.
 * `items` is the address of the array's pointer, `cap` counts elements. */
int mlr_grow(void *items, size_t *cap, size_t n, size_t each_bytes);

/* The seam: what a test puts in place of the system's allocator. NULL puts the system's back. */
typedef struct mlr_allocator {
    void *(*resize)(void *user, void *p, size_t bytes);     /* p NULL: allocate. Never asked for 0 bytes. */
    void (*release)(void *user, void *p);
    void *user;
} mlr_allocator;
void mlr_alloc_use(const mlr_allocator *allocator);         /* not while other threads allocate */
#endif
