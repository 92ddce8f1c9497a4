/* base/fs_kind.c - on which file system something lies, and whether that lives on another machine, where locks and times may lie. */
#include <sys/vfs.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/fs_call.h"

bool mlr_fs_kind_is_network(uint32_t kind)
{
    /* statfs(2), linux/magic.h and the file systems' own sources */
    static const uint32_t network[] = {
        0x00006969, /* NFS */         0x0000517b, /* SMB */      0xff534d42, /* CIFS */    0xfe534d42, /* SMB2 */
        0x0bd00bd0, /* Lustre */      0x65735546, /* FUSE */     0x00c36400, /* Ceph */    0x01021997, /* 9P */
        0x5346414f, /* OpenAFS */     0x6b414653, /* kAFS */     0x73757245, /* Coda */    0x0000564c, /* NCP */
        0x47504653, /* GPFS */        0x19830326, /* BeeGFS */   0xaad7aaea, /* PanFS */   0x20030528, /* OrangeFS */
        0x7461636f, /* OCFS2 */       0x01161970, /* GFS2 */     0x786f4256, /* vboxsf */
    };

    for (size_t i = 0; i < sizeof network / sizeof *network; i++)
        if (network[i] == kind)
            return true;
    return false;
}

static int kind_of(const char *path, uint32_t *kind)
{
    struct statfs fs;
    int           errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, path, statfs(path, &fs));
    if (errnum == 0)
        *kind = (uint32_t)fs.f_type;     /* signed on some machines: CIFS would be negative there */
    return errnum;
}

bool mlr_fs_is_network_fd(int fd, const char *name)
{
    struct statfs fs;
    int           errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, name, fstatfs(fd, &fs));
    return errnum == 0 && mlr_fs_kind_is_network((uint32_t)fs.f_type);
}

bool mlr_fs_is_one_mount(int a, int b)
{
    struct statx x, y;
    bool         known = statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) == 0 && statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &y) == 0;

    return known && x.stx_dev_major == y.stx_dev_major && x.stx_dev_minor == y.stx_dev_minor &&
           ((x.stx_mask & y.stx_mask & STATX_MNT_ID) == 0 || x.stx_mnt_id == y.stx_mnt_id);
}

bool mlr_fs_is_network(const char *path)
{
    uint32_t kind = 0;
    int      errnum = kind_of(path, &kind);
    char    *dir;

    if (errnum == ENOENT && (dir = mlr_path_dir(path)) != NULL) {   /* to be made: then it will be where its parent is */
        errnum = kind_of(dir, &kind);
        mlr_free(dir);
    }
    return errnum == 0 && mlr_fs_kind_is_network(kind);
}
