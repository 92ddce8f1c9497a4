/* bed/dir.h - a fresh directory for a test, small files in it, and its removal. Include after cmocka.h. */
#ifndef MLR_BED_DIR_H
#define MLR_BED_DIR_H
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BED_PATH_MAX 8192

/* The directory's path; give it back to bed_dir_remove. */
static inline char *bed_dir_new(void)
{
    const char *base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    char        path[BED_PATH_MAX], *copy;

    snprintf(path, sizeof path, "%s/mlreg-test-XXXXXX", base);
    assert_non_null(mkdtemp(path));
    copy = strdup(path);
    assert_non_null(copy);
    return copy;
}

static inline int bed_remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)where;
    if (kind == FTW_DNR)
        chmod(path, 0700);
    return remove(path);
}

static inline void bed_dir_remove(char *dir)
{
    assert_int_equal(nftw(dir, bed_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(dir);
}

/* "dir/name", good for this thread's next 15 calls. */
static inline const char *bed_at(const char *dir, const char *name)
{
    static _Thread_local char     paths[16][BED_PATH_MAX];
    static _Thread_local unsigned next;
    char                         *path = paths[next++ % 16];

    snprintf(path, BED_PATH_MAX, "%s/%s", dir, name);
    return path;
}

static inline void bed_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static inline void bed_assert_file(const char *path, const char *text)
{
    char   content[65536];
    FILE  *f = fopen(path, "re");
    size_t n;

    if (f == NULL)
        fail_msg("%s is not there", path);
    n = fread(content, 1, sizeof content - 1, f);
    content[n] = '\0';
    fclose(f);
    assert_string_equal(content, text);
}

static inline int bed_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* How many names a directory holds: to see that nothing was left behind. */
static inline int bed_count(const char *dir)
{
    DIR *d = opendir(dir);
    int  n = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

/* Descriptors that this process has open: to see that none leaks. */
static inline int bed_open_files(void)
{
    return bed_count("/proc/self/fd");
}
#endif
