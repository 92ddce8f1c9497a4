/* codec/archive_member.c - what the header of a tar's member says, in our words. */
#include "codec/archive_parts.h"

#include <archive_entry.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static mlr_member_kind kind_of(struct archive_entry *entry)
{
    if (archive_entry_hardlink(entry) != NULL)
        return MLR_MEMBER_HARDLINK;
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG: return MLR_MEMBER_FILE;
    case AE_IFDIR: return MLR_MEMBER_DIR;
    case AE_IFLNK: return MLR_MEMBER_SYMLINK;
    default: return MLR_MEMBER_OTHER;
    }
}

/* A copy of `text` without "./" before and '/' behind it, but never an empty one; NULL: out of memory. */
static char *cut(const char *text)
{
    size_t len;

    while (text[0] == '.' && text[1] == '/') {
        const char *rest = text + 1 + strspn(text + 1, "/");

        if (*rest == '\0')
            break;
        text = rest;
    }
    len = strlen(text);
    while (len > 1 && text[len - 1] == '/')
        len--;
    return mlr_strndup(text, len);
}

/* Takes over what `entry` says; it lives only until the next header. */
static int take_names(mlr_archive *a, struct archive_entry *entry, mlr_member_kind kind, mlreg_error **err)
{
    const char *name = archive_entry_pathname(entry), *link = NULL;

    if (kind == MLR_MEMBER_HARDLINK)
        link = archive_entry_hardlink(entry);
    else if (kind == MLR_MEMBER_SYMLINK)
        link = archive_entry_symlink(entry);
    if (name == NULL || (kind == MLR_MEMBER_SYMLINK && link == NULL))
        return a->rc = mlr_error_set(err, MLREG_EPROTO, "%s has a member without a name or target", a->whole);
    mlr_free(a->name);
    mlr_free(a->link);
    a->link = NULL;
    a->name = cut(name);
    if (link != NULL)
        a->link = kind == MLR_MEMBER_HARDLINK ? cut(link) : mlr_strdup(link);
    if (a->name == NULL || (link != NULL && a->link == NULL))
        return a->rc = mlr_error_nomem(err);
    return 0;
}

static int take_size(mlr_archive *a, struct archive_entry *entry, mlreg_error **err)
{
    int64_t bytes = a->is_file ? archive_entry_size(entry) : 0;

    if (bytes < 0)
        return a->rc = mlr_error_set(err, MLREG_EPROTO, "%s has a member with a negative size: \"%.200s\"", a->whole,
                                     a->name);
    if ((uint64_t)bytes > a->limits.bytes)
        return a->rc = mlr_error_set(err, MLREG_ELIMIT, "%s unpacks to more than %llu bytes: \"%.200s\" alone has %lld",
                                     a->whole, (unsigned long long)a->limits.bytes, a->name, (long long)bytes);
    a->bytes = (uint64_t)bytes;
    a->at = a->block_at = 0;
    a->block_bytes = 0;
    return 0;
}

int mlr_archive_take_member(mlr_archive *a, struct archive_entry *entry, mlr_member *out, mlreg_error **err)
{
    mlr_member_kind kind = kind_of(entry);
    int             rc;

    a->is_file = kind == MLR_MEMBER_FILE;
    if ((rc = take_names(a, entry, kind, err)) < 0 || (rc = take_size(a, entry, err)) < 0)
        return rc;
    out->kind = kind;
    out->name = a->name;
    out->link = a->link;
    out->mode = (unsigned)archive_entry_perm(entry) & 07777u;    /* the field has room for more */
    out->bytes = a->bytes;
    out->mtime_s = archive_entry_mtime(entry);
    out->uid = archive_entry_uid(entry);
    out->gid = archive_entry_gid(entry);
    out->is_fifo = kind == MLR_MEMBER_OTHER && archive_entry_filetype(entry) == AE_IFIFO;
    return 0;
}
