/* base/reader.h - bytes of known length that can be read again from any offset: a file, memory, a blob far away. */
#ifndef MLR_BASE_READER_H
#define MLR_BASE_READER_H
#include <mlreg.h>
#include <stdbool.h>
#include "base/op.h"

typedef struct mlr_reader mlr_reader;
typedef struct mlr_reader_ops {               /* one constant table per kind */
    /* At most `len` bytes at `offset`, at least 1 unless at the end. Cheap when `offset` is where the last read ended. */
    int64_t (*read_at)(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err);
    void (*free)(mlr_reader *r);
    int (*unchanged)(mlr_reader *r, mlreg_error **err);   /* NULL: it cannot change */
    /* For bytes that are far away; NULL where it makes no difference. See the calls below. */
    int (*twin)(mlr_reader *r, mlr_reader **out, mlreg_error **err);
    void (*until)(mlr_reader *r, uint64_t end);
    void (*had)(mlr_reader *r, uint64_t bytes, mlr_op *op);
} mlr_reader_ops;
struct mlr_reader {                           /* the first member of each kind's own struct */
    const mlr_reader_ops *ops;
    uint64_t bytes;
    int  fd;                                  /* a plain file with exactly these bytes from offset 0, or -1: for reflink and mmap */
    bool trusted;                             /* the bytes were checked against their digest when they were stored */
    const char *name;                         /* for messages; lives as long as the reader */
};
/* One thread at a time. Loops until `len` bytes or the end. Bytes, 0 at the end. EIO "changed while it was read" where
 * a file turns out shorter or longer than `bytes`. */
int64_t mlr_reader_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err);
void mlr_reader_free(mlr_reader *r);          /* NULL is fine */

/* A file below nothing: regular files only (EINVAL for FIFO, device, directory). Its size, device, inode, mtime and, unless
 * it is trusted, ctime (which moves when a stored blob is linked to once more) are noted at opening; mlr_reader_unchanged
 * tells whether they still are so: 0, or EIO "changed while it was read". Other kinds: always 0. */
int mlr_reader_open_file(const char *path, mlr_reader **out, mlreg_error **err);
int mlr_reader_from_fd(int fd, const char *name, bool trusted, mlr_reader **out, mlreg_error **err);   /* takes the descriptor, on success only */
int mlr_reader_from_memory(const void *data, size_t len, const char *name, mlr_reader **out, mlreg_error **err);  /* borrows the bytes */
int mlr_reader_from_source(const mlreg_source *source, mlr_op *op, mlr_reader **out, mlreg_error **err); /* copied; read_at runs on the caller's thread; never calls release */
int mlr_reader_unchanged(mlr_reader *r, mlreg_error **err);

/* Another reader of the same bytes, over a connection of its own, for another thread; freed before `r`. It gives up where `r` would
 * try again. ENOTSUP where that gains nothing: from a twin's read too, if ranges turn out to be impossible. */
int  mlr_reader_twin(mlr_reader *r, mlr_reader **out, mlreg_error **err);
bool mlr_reader_has_twins(const mlr_reader *r);
void mlr_reader_until(mlr_reader *r, uint64_t end);   /* what will be read next goes on to there, each byte once: worth one long answer */
void mlr_reader_had(mlr_reader *r, uint64_t bytes, mlr_op *op);   /* so many will not be read, for they are there already */
#endif
