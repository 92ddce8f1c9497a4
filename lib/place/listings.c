/* place/listings.c - what layers hold, by names and kinds alone, remembered: a small file for each. */
#include "place/listings.h"

#include <string.h>
#include "base/alloc.h"
#include "base/fs.h"
#include "base/private.h"
#include "codec/xxh.h"

#define MAGIC UINT64_C(0x314e494c474c4d)   /* "MLGLIN1", in the order of bytes of the machine that wrote it */

struct head { uint64_t magic, check; };    /* check: XXH3 of all behind it */

static char *own_dir(void)
{
    char *private = mlr_private_dir("XDG_CACHE_HOME", ".cache"), *dir = private != NULL ? mlr_path_join(private, MLR_LISTINGS_DIR) : NULL;

    mlr_free(private);
    return dir;
}

/* ---- one of them ---- */

static bool is_whole(const mlr_buf *file)
{
    struct head h;

    if (file->len < sizeof h)
        return false;
    memcpy(&h, file->data, sizeof h);
    return h.magic == MAGIC && h.check == mlr_xxh3(file->data + sizeof h, file->len - sizeof h);
}

static bool read_file(const char *dir, const char *name, mlr_buf *file)
{
    struct stat st;
    int64_t n = -1;
    int fd = -1;

    if (mlr_private_open(dir, name, false, &fd, NULL) == 0 && mlr_fs_stat_fd(fd, name, &st, NULL) == 0 && st.st_size > 0 &&
        mlr_buf_reserve(file, (size_t)st.st_size, NULL) == 0)
        n = mlr_fs_read_at(fd, 0, file->data, (size_t)st.st_size, name, NULL);
    mlr_fs_close(fd);
    file->len = n > 0 ? (size_t)n : 0;
    return is_whole(file);
}

bool mlr_listings_find(const mlr_digest *diff_id, mlr_buf *out)
{
    mlr_buf file = MLR_BUF_INIT(sizeof(struct head) + MLR_LISTINGS_MAX_BYTES);
    char *dir = own_dir();
    bool known = dir != NULL && read_file(dir, mlr_digest_hex(diff_id), &file) &&
        mlr_buf_add(out, file.data + sizeof(struct head), file.len - sizeof(struct head), NULL) == 0;

    mlr_buf_done(&file);
    mlr_free(dir);
    return known;
}

/* ---- all of them ---- */

/* The size of all files but one; *oldest is of the one that was there first. */
static uint64_t weigh(const char *dir, const mlr_dir_list *names, size_t *oldest)
{
    struct timespec first = { 0 };
    uint64_t bytes = 0;

    *oldest = names->n;
    for (size_t i = 0; i < names->n; i++) {
        char *path = mlr_path_join(dir, names->items[i].name);
        struct stat st;

        if (path != NULL && mlr_fs_stat(path, &st, NULL) == 0) {
            bytes += (uint64_t)st.st_size;
            if (*oldest == names->n || st.st_mtim.tv_sec < first.tv_sec || (st.st_mtim.tv_sec == first.tv_sec && st.st_mtim.tv_nsec < first.tv_nsec)) {
                *oldest = i;
                first = st.st_mtim;
            }
        }
        mlr_free(path);
    }
    return bytes;
}

/* Before one more is written; temporary files that a killed process left grow old among the others. */
static void make_room(const char *dir, uint64_t bytes)
{
    mlr_dir_list names = { 0 };
    size_t oldest = 0;
    bool is_full = mlr_fs_list_path(dir, 2 * MLR_LISTINGS_MAX, &names, NULL) == 0;

    while (is_full && (weigh(dir, &names, &oldest) + bytes > 4 * MLR_LISTINGS_MAX_BYTES || names.n >= MLR_LISTINGS_MAX) && oldest < names.n) {
        char *path = mlr_path_join(dir, names.items[oldest].name);

        is_full = path != NULL && mlr_fs_unlink(path, NULL) == 0;
        mlr_free(path);
        mlr_free(names.items[oldest].name);
        names.items[oldest] = names.items[--names.n];
    }
    mlr_dir_list_done(&names);
}

void mlr_listings_keep(const mlr_digest *diff_id, const mlr_buf *listing)
{
    const struct head h = { MAGIC, mlr_xxh3(listing->data != NULL ? listing->data : "", listing->len) };
    mlr_buf file = MLR_BUF_INIT(sizeof h + MLR_LISTINGS_MAX_BYTES);
    char *dir = own_dir(), *path = dir != NULL ? mlr_path_join(dir, mlr_digest_hex(diff_id)) : NULL;

    if (path != NULL && mlr_private_make(dir, NULL) == 0 && mlr_buf_add(&file, &h, sizeof h, NULL) == 0 &&
        mlr_buf_add(&file, listing->data, listing->len, NULL) == 0) {
        make_room(dir, file.len);
        mlr_fs_write_file(path, file.data, file.len, 0600, NULL);
    }
    mlr_buf_done(&file);
    mlr_free(path);
    mlr_free(dir);
}
