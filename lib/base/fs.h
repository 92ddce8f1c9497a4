/* base/fs.h - files: durable writing, whole reading, and the seam through which every file call passes. */
#ifndef MLR_BASE_FS_H
#define MLR_BASE_FS_H
#include <mlreg.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include "base/buf.h"

/* Paths are the host's bytes. Descriptors are close-on-exec. Codes: those of mlr_error_errno, with the path as
 * the message's noun and the error's subject. */
int  mlr_fs_open(const char *path, int flags, unsigned mode, int *fd, mlreg_error **err);
int  mlr_fs_openat(int dir, const char *path, int flags, unsigned mode, int *fd, mlreg_error **err);
void mlr_fs_close(int fd);                                    /* -1 is fine; for files whose content no longer matters or is synced */
int  mlr_fs_stat(const char *path, struct stat *out, mlreg_error **err);  /* follows no last link */
int  mlr_fs_stat_fd(int fd, const char *name, struct stat *out, mlreg_error **err);
bool mlr_fs_exists(const char *path);                        /* or it cannot be told: the next call says why */
int64_t mlr_fs_read_at(int fd, uint64_t offset, void *buf, size_t len, const char *name, mlreg_error **err); /* short only at the end */
int  mlr_fs_write_at(int fd, uint64_t offset, const void *buf, size_t len, const char *name, mlreg_error **err); /* all or an error */
int  mlr_fs_sync(int fd, const char *name, mlreg_error **err);            /* fdatasync */
int  mlr_fs_set_mode(int fd, unsigned mode, const char *name, mlreg_error **err);
/* All of these files, by one call to their file system where that tells of failures (Linux 5.8), else one by one. `dir` is on it,
 * and was opened before the first of them was written. */
int  mlr_fs_sync_many(int dir, const int fds[], const char *const names[], size_t n, mlreg_error **err);
int  mlr_fs_sync_dir(const char *path, mlreg_error **err);                /* what was named in it stays named */
int  mlr_fs_rename(const char *from, const char *to, mlreg_error **err);
int  mlr_fs_link(const char *from, const char *to, mlreg_error **err);    /* EEXISTS if `to` is there */
int  mlr_fs_unlink(const char *path, mlreg_error **err);                  /* missing is no error */
int  mlr_fs_remove_tree(const char *path, mlreg_error **err); /* a folder with all that is in it, through no link; missing is no error */
int  mlr_fs_mkdirs(const char *path, unsigned mode, mlreg_error **err);   /* parents too, each durable; there is no error */
int  mlr_fs_read_file(const char *path, mlr_buf *out, mlreg_error **err); /* whole, regular files only, ELIMIT past out->max; a FIFO or device is EINVAL, never a hang */
/* Replaces or creates `path` whole: temporary beside it, fsync, rename, fsync of the directory. On failure the old file
 * stands; only where that very last sync is what failed, the new one does, whole, but a power cut may bring the old one back. */
int  mlr_fs_write_file(const char *path, const void *data, size_t len, unsigned mode, mlreg_error **err);

/* A file in the making: unreachable until published, gone if abandoned or if the process dies (O_TMPFILE where
 * the file system has it, else a name that begins with ".tmp-"). */
typedef struct mlr_temp {
    int   fd;              /* -1: none */
    char *path;            /* NULL while it has no name; seen from `at` */
    char *dir;             /* likewise */
    int   at;              /* a directory, as openat takes it */
} mlr_temp;
#define MLR_TEMP_INIT { -1, NULL, NULL, AT_FDCWD }
int  mlr_temp_open(mlr_temp *t, const char *dir, unsigned mode, mlreg_error **err);
/* Syncs the content, gives it its name, syncs the directory of `path`. With `replace` an older file gives way, else
 * EEXISTS and the temporary is still there. After success fd is still open (read and write). Where the sync of the
 * directory is what failed, the file has its name already. */
int  mlr_temp_publish(mlr_temp *t, const char *path, bool replace, mlreg_error **err);
/* The same in a directory that is known by descriptor (not O_PATH), whatever becomes of its name: borrowed until done. It is
 * published under one `name` in it. `shown` is the directory, then the file, as messages call them. */
int  mlr_temp_open_in(mlr_temp *t, int dir, const char *shown, unsigned mode, mlreg_error **err);
int  mlr_temp_give_name(mlr_temp *t, const char *path, bool replace, mlreg_error **err);   /* publish without both syncs: content was synced, the directory will be */
int  mlr_temp_give_name_in(mlr_temp *t, const char *name, const char *shown, bool replace, mlreg_error **err);
int  mlr_temp_publish_in(mlr_temp *t, const char *name, const char *shown, bool replace, mlreg_error **err);
/* Makes one of a file that was written under a name: its mode becomes `mode`, less what the umask forbade when it was made. `*fd` is t's then, on success only. */
int  mlr_temp_adopt(mlr_temp *t, int *fd, const char *path, const char *dir, unsigned mode, mlreg_error **err);
void mlr_temp_done(mlr_temp *t);                              /* closes, and removes what was not published */
int  mlr_temp_folder(char **path, mlreg_error **err);          /* a fresh one in $TMPDIR, else /tmp, for this user alone; to be removed by its maker */
#define MLR_TEMP_SCRATCH "a temporary file (in $TMPDIR, else /tmp)"
int  mlr_temp_scratch(uint64_t bytes, int *fd, mlreg_error **err);   /* one that never gets a name, gone with its descriptor; room for so many */

/* Names in a directory without "." and "..", sorted by byte. Missing directory: ENOTFOUND. */
typedef struct mlr_dir_entry { char *name; unsigned char type; /* DT_*, never DT_UNKNOWN */ } mlr_dir_entry;
typedef struct mlr_dir_list { mlr_dir_entry *items; size_t n, cap; } mlr_dir_list;
int  mlr_fs_list(int dir_fd, const char *name, size_t max_entries, mlr_dir_list *out, mlreg_error **err); /* dir_fd is only read */
int  mlr_fs_list_path(const char *path, size_t max_entries, mlr_dir_list *out, mlreg_error **err);
void mlr_dir_list_done(mlr_dir_list *l);

/* Fills `to` (empty, open for writing) with all of `from`: reflink, else copy_file_range, else read and write. Not synced. */
int  mlr_fs_clone(int from, int to, uint64_t bytes, const char *name, mlreg_error **err);
bool mlr_fs_reflink(int from, int to);                        /* the same, where it costs no copying; else `to` is as before */
/* Takes the disk space for a file that is about to be written, so that a full disk shows before the work; its size stays. Where the
 * file system cannot, nothing happens. */
int  mlr_fs_reserve(int fd, uint64_t bytes, const char *name, mlreg_error **err);
void mlr_fs_write_behind(int fd, uint64_t offset, uint64_t bytes);  /* a hint: start bringing these to the disk, do not wait */
bool mlr_fs_is_network(const char *path);                     /* NFS, Lustre, CIFS, FUSE…: where locks and times may lie */
bool mlr_fs_is_network_fd(int fd, const char *name);              /* the same of an open file */
bool mlr_fs_is_one_mount(int a, int b);                       /* of two open folders: files can be renamed from one to the other */
bool mlr_fs_kind_is_network(uint32_t kind);                   /* the same of a statfs f_type */
int  mlr_fs_read_link(const char *path, char **target, mlreg_error **err);   /* what is written in it */
/* The file that `path` leads to through links in its last component; it need not be there. For who replaces a file and keeps the link to it. */
int  mlr_fs_follow(const char *path, char **out, mlreg_error **err);
char *mlr_path_join(const char *dir, const char *name);       /* "dir/name"; NULL: out of memory */
char *mlr_path_dir(const char *path);                         /* the directory that holds it: "a/b" -> "a", "b" -> ".", "/b" -> "/"; NULL: out of memory */

/* The seam. Called before each system call that can fail: a nonzero answer is the errno it fails with. */
typedef enum mlr_fs_call { MLR_FS_OPEN, MLR_FS_STAT, MLR_FS_READ, MLR_FS_WRITE, MLR_FS_SYNC, MLR_FS_RENAME, MLR_FS_LINK, MLR_FS_UNLINK, MLR_FS_MKDIR, MLR_FS_LIST,
    MLR_FS_OPEN_BENEATH, /* openat2: ENOSYS makes base/beneath walk */ MLR_FS_LOCK } mlr_fs_call;
typedef int (*mlr_fs_hook)(mlr_fs_call call, const char *name, void *user);
void mlr_fs_use(mlr_fs_hook hook, void *user);                /* NULL: the system alone */
void mlr_fs_use_short(size_t (*most)(size_t asked));          /* how much of a read or write is done at once; NULL: as asked */
int  mlr_fs_fault(mlr_fs_call call, const char *name);        /* these two for other rooms of base that call the system */
size_t mlr_fs_length(size_t asked);
#endif
