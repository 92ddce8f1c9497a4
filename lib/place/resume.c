/* place/resume.c - an upload session noted on disk, so that a push that was killed goes on in the next process. */
#include "place/resume.h"

#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/private.h"
#include "codec/xxh.h"

#define MAGIC         UINT64_C(0x31454d55534552)  /* "RESUME1", in the order of bytes of the machine that wrote it */
#define PREFIX        "push-"
#define LOCATION_MAX  3000
#define KEPT_MS       (INT64_C(24) * 3600 * 1000)
#define NOTES_MAX     10000                       /* files looked at when tidying */

static const uint64_t no_magic = 0;

struct notes {
    uint64_t magic, key;
    int64_t written_ms;
    uint64_t check;                               /* XXH3 of the location */
    char location[LOCATION_MAX + 8];              /* to its zero */
};

/* ---- which upload it is ---- */

struct source {
    uint64_t device, inode, bytes;
    int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
    char digest[MLR_DIGEST_TEXT + 1];
};

static bool identify(const mlr_reader *r, const mlr_digest *digest, struct source *out)
{
    struct stat st;

    memset(out, 0, sizeof *out);
    out->bytes = r->bytes;
    if (r->fd < 0 || r->trusted) {
        if (digest == NULL || digest->text[0] == '\0')
            return false;
        strcpy(out->digest, digest->text);
        return true;
    }
    if (mlr_fs_is_network_fd(r->fd, r->name) || mlr_fs_stat_fd(r->fd, r->name, &st, NULL) < 0)
        return false;
    out->device = (uint64_t)st.st_dev;
    out->inode = (uint64_t)st.st_ino;
    out->mtime_s = st.st_mtim.tv_sec;
    out->mtime_ns = st.st_mtim.tv_nsec;
    out->ctime_s = st.st_ctim.tv_sec;
    out->ctime_ns = st.st_ctim.tv_nsec;
    return true;
}

static bool make_key(const char *origin, const char *repo, const struct source *s, uint64_t *out)
{
    mlr_buf b = MLR_BUF_INIT(1u << 16);
    bool made = mlr_buf_add(&b, origin, strlen(origin) + 1, NULL) == 0 && mlr_buf_add(&b, repo, strlen(repo) + 1, NULL) == 0 &&
                mlr_buf_add(&b, s, sizeof *s, NULL) == 0;

    if (made)
        *out = mlr_xxh3(b.data, b.len);
    mlr_buf_done(&b);
    return made;
}

/* ---- notes ---- */

/* Of uploads that nobody went on with. */
static void tidy(const char *dir)
{
    mlr_dir_list names = { NULL, 0, 0 };
    struct stat st;

    mlr_fs_list_path(dir, NOTES_MAX, &names, NULL);
    for (size_t i = 0; i < names.n; i++) {
        char *path = strncmp(names.items[i].name, PREFIX, strlen(PREFIX)) == 0 ? mlr_path_join(dir, names.items[i].name) : NULL;

        if (path != NULL && mlr_fs_stat(path, &st, NULL) == 0 && mlr_clock_wall_ms() - st.st_mtim.tv_sec * 1000 > KEPT_MS)
            mlr_fs_unlink(path, NULL);
        mlr_free(path);
    }
    mlr_dir_list_done(&names);
}

static void read_notes(const mlr_resume *s, char **location)
{
    struct notes n;
    int64_t age_ms;
    int fd;

    memset(&n, 0, sizeof n);
    if (mlr_fs_open(s->path, O_RDONLY | O_NOFOLLOW, 0, &fd, NULL) < 0)
        return;
    mlr_fs_read_at(fd, 0, &n, sizeof n - 1, s->path, NULL);
    mlr_fs_close(fd);
    age_ms = mlr_clock_wall_ms() - n.written_ms;
    if (n.magic == MAGIC && n.key == s->key && age_ms >= 0 && age_ms < KEPT_MS && n.location[0] != '\0' &&
        n.check == mlr_xxh3(n.location, strlen(n.location)))
        *location = mlr_strdup(n.location);
}

static void put(const mlr_resume *s, int more_flags, const void *data, size_t len)
{
    int fd;

    if (mlr_fs_open(s->path, O_WRONLY | O_CREAT | O_NOFOLLOW | more_flags, 0600, &fd, NULL) < 0)
        return;
    mlr_fs_write_at(fd, 0, data, len, s->path, NULL);
    mlr_fs_close(fd);
}

static void close_notes(mlr_resume *s)
{
    mlr_lock_drop(&s->lock);
    mlr_free(s->path);
    s->path = NULL;
}

void mlr_resume_open(mlr_resume *s, const char *origin, const char *repo, const mlr_reader *r, const mlr_digest *digest, char **location)
{
    char *dir = mlr_private_dir("XDG_STATE_HOME", ".local/state");
    struct source source;

    *s = (mlr_resume)MLR_RESUME_INIT;
    *location = NULL;
    if (dir == NULL || !identify(r, digest, &source) || !make_key(origin, repo, &source, &s->key) || mlr_private_make(dir, NULL) < 0 ||
        (s->path = mlr_asprintf("%s/" PREFIX "%016llx", dir, (unsigned long long)s->key)) == NULL)
        goto out;
    tidy(dir);
    put(s, O_EXCL, &no_magic, sizeof no_magic);      /* a lock would write its holder into an empty file, and empty it in the end */
    if (mlr_lock_take(&s->lock, s->path, true, 0, NULL, NULL) == 0)
        read_notes(s, location);
    else
        close_notes(s);                  /* somebody sends just that at this moment */
out:
    mlr_free(dir);
}

void mlr_resume_note(mlr_resume *s, const char *location)
{
    struct notes n;
    size_t len = strlen(location);

    if (s->path == NULL || len > LOCATION_MAX)
        return;
    memset(&n, 0, sizeof n);
    n.magic = MAGIC;
    n.key = s->key;
    n.written_ms = mlr_clock_wall_ms();
    n.check = mlr_xxh3(location, len);
    memcpy(n.location, location, len);
    put(s, 0, &n, offsetof(struct notes, location) + len + 1);
}

void mlr_resume_forget(mlr_resume *s)
{
    if (s->path != NULL)
        put(s, 0, &no_magic, sizeof no_magic);
}

void mlr_resume_done(mlr_resume *s, bool forget)
{
    if (s->path != NULL && forget)
        mlr_fs_unlink(s->path, NULL);
    if (s->path != NULL)
        close_notes(s);
}
