/* place/place.c - the one door to every place: what a location opens, and checks that all kinds share. */
#include "place/place.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/index.h"
#include "place/intake.h"
#include "place/absent.h"

#define REFERRERS_MAX 10000 /* candidates that are read one by one */

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

int mlr_place_open(const char *location, const mlreg_session_options *o, mlr_runtime *rt, mlr_op *op, mlr_place **out,
                   mlreg_error **err)
{
    static const char hint[] = "a location is \"https://host\", \"oci:DIR\", \"memory:\" or the directory of a store";
    int rc;
    if (location[0] == 0)
        rc = mlr_error_hint(err, mlr_error_set(err, MLREG_EINVAL, "the location is empty"), "%s", hint);
    else if (begins(location, "https://") || begins(location, "http://"))
        rc = mlr_registry_open(location, o, rt, op, out, err);
    else if (begins(location, "oci:"))
        rc = mlr_layout_open(location + strlen("oci:"), o, rt, op, out, err);
    else if (strcmp(location, "memory:") == 0)
        rc = mlr_memory_open(rt, out, err);
    else if (strstr(location, "://") != NULL)
        rc = mlr_error_hint(err, mlr_error_set(err, MLREG_ENOTSUP, "no place is opened by '%s'", location), "%s", hint);
    else
        rc = mlr_store_open(location, o, rt, op, out, err);
    if (rc == 0 && o != NULL && (o->flags & MLREG_OPEN_READONLY))
        (*out)->read_only = true;
    return mlr_error_at(err, rc, location);
}

void mlr_place_close(mlr_place *p)
{
    mlr_runtime *rt;
    char        *name;

    if (p == NULL)
        return;
    rt = p->rt;
    name = p->name;
    p->ops->close(p);
    mlr_runtime_unref(rt);
    mlr_free(name);
}

/* ---- what every call is checked for ---- */

static int check_repo(const char *repo, mlreg_error **err)
{
    return repo[0] == 0 ? 0 : mlr_ref_check_repo(repo, true, err);
}

static int check_ref(const mlr_ref *r, mlreg_error **err)
{
    int rc = check_repo(r->repo, err);
    return rc == 0 && r->tag != NULL ? mlr_ref_check_tag(r->tag, err) : rc;
}

static int check_named(const mlr_ref *r, mlreg_error **err)
{
    int rc = check_ref(r, err);
    if (rc < 0 || mlr_ref_word(r) != NULL)
        return rc;
    rc = mlr_error_set(err, MLREG_EINVAL, "'%s' names neither a tag nor a digest", r->repo);
    return mlr_error_hint(err, rc, "write '%s:TAG' or '%s@sha256:…'", r->repo, r->repo);
}

int mlr_place_check_writable(const mlr_place *p, mlreg_error **err)
{
    int rc = p->read_only ? mlr_error_set(err, MLREG_EDENIED, "%s was opened to be read only", p->name) : 0;
    return mlr_error_at(err, rc, p->name);
}

static int cannot(mlr_place *p, const char *what, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_ENOTSUP, "a %s cannot %s", p->ops->kind, what);
}

/* Adds where, and which reference, to a failure on its way up. */
static int at_ref(mlr_place *p, const mlr_ref *r, int rc, mlreg_error **err)
{
    char *text = rc < 0 ? mlr_ref_text(r) : NULL;
    if (text != NULL)
        mlr_error_subject(err, rc, text);
    mlr_free(text);
    return mlr_error_at(err, rc, p->name);
}

static int at_blob(mlr_place *p, const mlr_blob *b, int rc, mlreg_error **err)
{
    mlr_error_subject(err, rc, b->digest.text);
    return mlr_error_at(err, rc, p->name);
}

/* ---- names ---- */

int mlr_place_ref(const mlr_place *p, const char *text, mlr_ref *out, mlreg_error **err)
{
    char *tag;
    int   rc;

    if (!p->one_repo || text[0] == 0 || strpbrk(text, ":/@") != NULL)
        return mlr_ref_parse(text, out, err);
    if ((tag = mlr_asprintf(":%s", text)) == NULL)
        return mlr_error_nomem(err);
    rc = mlr_ref_parse(tag, out, err);
    mlr_free(tag);
    return rc;
}

int mlr_place_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    int rc = check_named(r, err);
    if (rc == 0)
        rc = p->ops->resolve(p, r, op, out, err);
    return at_ref(p, r, rc, err);
}

static int finish_list(mlr_place *p, int rc, mlr_list *list, mlr_list **out, mlreg_error **err)
{
    if (rc < 0) {
        mlr_list_free(list);
        return mlr_error_at(err, rc, p->name);
    }
    mlr_list_sort(list);
    *out = list;
    return 0;
}

int mlr_place_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list **out, mlreg_error **err)
{
    mlr_list *list = NULL;
    int       rc;
    if ((rc = check_repo(repo, err)) == 0 && (rc = mlr_list_new(&list, err)) == 0)
        rc = p->ops->tags(p, repo, op, list, err);
    mlr_error_subject(err, rc, repo);
    return finish_list(p, rc, list, out, err);
}

int mlr_place_repositories(mlr_place *p, mlr_op *op, mlr_list **out, mlreg_error **err)
{
    mlr_list *list = NULL;
    int       rc = mlr_list_new(&list, err);
    if (rc == 0)
        rc = p->ops->repositories != NULL ? p->ops->repositories(p, op, list, err)
                                          : cannot(p, "list repositories", err);
    return finish_list(p, rc, list, out, err);
}

/* ---- manifests ---- */

/* An index may be here in part. That its entry has gone meanwhile takes nothing from what was read. */
static int note_absent(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_manifest *m, mlreg_error **err)
{
    mlr_descriptor d = { 0 };
    mlreg_error   *why = NULL;
    int            rc = p->ops->resolve(p, r, op, &d, &why);

    if (rc == 0 && mlr_digest_equal(&d.digest, &m->self.digest))
        rc = mlr_manifest_set_absent(m, mlr_descriptor_annotation(&d, MLR_INDEX_ABSENT), err);
    else if (rc == MLREG_ENOMEM || rc == MLREG_ECANCELLED)
        mlr_error_move(err, &why);
    else
        rc = 0;
    mlr_error_done(why);
    mlr_descriptor_done(&d);
    return rc;
}

static int read_manifest(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    mlr_buf       bytes = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    char         *media_type = NULL;
    mlr_manifest *m = NULL;
    mlr_digest    got;
    int           rc;

    if ((rc = mlr_buf_reserve(&bytes, 0, err)) < 0 || /* no bytes are bytes, too */
        (rc = p->ops->manifest_read(p, r, op, &bytes, &media_type, err)) < 0)
        goto out;
    mlr_digest_of(bytes.data, bytes.len, &got);
    if ((r->digest.text[0] != 0 && (rc = mlr_digest_check(&got, &r->digest, "manifest", err)) < 0) ||
        (rc = mlr_manifest_parse(bytes.data, bytes.len, media_type, &m, err)) < 0 ||
        (p->holds_parts && m->is_index && (rc = note_absent(p, r, op, m, err)) < 0))
        goto out;
    *out = m;
    m = NULL;
out:
    mlr_manifest_free(m);
    mlr_free(media_type);
    mlr_buf_done(&bytes);
    return rc;
}

int mlr_place_manifest(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    int rc = check_named(r, err);
    if (rc == 0)
        rc = read_manifest(p, r, op, out, err);
    return at_ref(p, r, rc, err);
}

int mlr_place_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m,
                             mlr_op *op, mlreg_error **err)
{
    static const mlr_tag_rule keep = { false, { "" } };
    int rc = mlr_place_check_writable(p, err);

    if (rc == 0 && (rc = check_ref(r, err)) == 0 && r->digest.text[0] != 0 &&
        !mlr_digest_equal(&r->digest, &m->self.digest))
        rc = mlr_error_set(err, MLREG_EINVAL, "the manifest is %s, not %s", m->self.digest.text, r->digest.text);
    if (rc == 0)
        rc = p->ops->manifest_write(p, r, rule != NULL ? rule : &keep, m, op, err);
    return at_ref(p, r, rc, err);
}

int mlr_place_remove(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0 && (rc = check_named(r, err)) == 0)
        rc = p->ops->remove != NULL ? p->ops->remove(p, r, op, err) : cannot(p, "remove manifests", err);
    return at_ref(p, r, rc, err);
}

static bool is_of_type(const mlr_manifest *m, const char *artifact_type)
{
    return artifact_type == NULL || (m->self.artifact_type != NULL && strcmp(m->self.artifact_type, artifact_type) == 0);
}

/* Reads a candidate and adds it if it says itself that it refers to `subject` (THREATS.md F3). One that is gone or no
 * manifest refers to nothing; what keeps us from telling is a failure. */
static int add_referrer(mlr_place *p, const char *repo, const mlr_digest *candidate, const mlr_digest *subject,
                        const char *artifact_type, mlr_op *op, mlr_list *list, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    mlreg_error  *why = NULL;
    mlr_ref       r = { (char *)repo, NULL, *candidate };
    int           rc;

    if ((rc = mlr_op_check(op, err)) < 0)
        return rc;
    rc = read_manifest(p, &r, op, &m, &why);
    if (rc == MLREG_ENOTFOUND || rc == MLREG_EPROTO || rc == MLREG_ENOTSUP)
        rc = 0;
    else if (rc < 0)
        mlr_error_move(err, &why);
    else if (m->subject != NULL && mlr_digest_equal(&m->subject->digest, subject) && is_of_type(m, artifact_type))
        rc = mlr_list_add(list, NULL, &m->self, err);
    mlr_error_done(why);
    mlr_manifest_free(m);
    return rc;
}

int mlr_place_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, const char *artifact_type,
                        mlr_op *op, mlr_list **out, mlreg_error **err)
{
    mlr_list *candidates = NULL, *list = NULL;
    int       rc;

    if ((rc = check_repo(repo, err)) < 0 || (rc = mlr_list_new(&candidates, err)) < 0 ||
        (rc = mlr_list_new(&list, err)) < 0 || (rc = p->ops->referrers(p, repo, subject, op, candidates, err)) < 0)
        goto out;
    mlr_list_sort(candidates);
    if (candidates->n > REFERRERS_MAX)
        rc = mlr_error_set(err, MLREG_ELIMIT, "%zu manifests claim to refer to %s, %d are looked at", candidates->n,
                           subject->text, REFERRERS_MAX);
    for (size_t i = 0; rc == 0 && i < candidates->n; i++)
        rc = add_referrer(p, repo, &candidates->items[i].descriptor->digest, subject, artifact_type, op, list, err);
out:
    mlr_list_free(candidates);
    mlr_error_subject(err, rc, subject->text);
    return finish_list(p, rc, list, out, err);
}

/* ---- blobs ---- */

int mlr_place_check_size(mlr_place *p, const char *name, uint64_t bytes, mlreg_error **err)
{
    uint64_t most = p->ops->max_blob != NULL ? p->ops->max_blob(p) : UINT64_MAX;
    int      rc;

    if (bytes <= most)
        return 0;
    rc = mlr_error_set(err, MLREG_ELIMIT, "%s has %llu bytes, %s takes layers of at most %llu", name,
                       (unsigned long long)bytes, p->name, (unsigned long long)most);
    mlr_error_hint(err, rc, "write it as several smaller files, as most tools do when told a shard size");
    mlr_error_subject(err, rc, name);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    int rc = check_repo(b->repo, err);
    if (rc == 0)
        rc = p->ops->blob_has(p, b, op, err);
    return at_blob(p, b, rc, err);
}

/* A blob that is not there because it need not be: where it is, is known. */
static int tell_absent(mlr_place *p, const mlr_blob *b, int rc, mlreg_error **err, mlreg_error **why)
{
    mlr_absent where = { NULL, NULL };

    if (rc == MLREG_ENOTFOUND && mlr_absent_find(p, &b->digest, &where, NULL) == 1) {
        mlr_error_set(err, rc, "blob %s was left where it is when the image was built: in %s of %s", b->digest.text, where.repo, where.location);
        mlr_error_hint(err, rc, "pull the base as well: mlreg pull %s@DIGEST", where.repo);
    }
    mlr_absent_done(&where);
    mlr_error_move(err, why);
    mlr_error_done(*why);
    return rc;
}

int mlr_place_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_reader  *r = NULL;
    int          rc = check_repo(b->repo, err);

    if (rc == 0 && (rc = p->ops->blob_open(p, b, op, &r, &why)) < 0)
        rc = tell_absent(p, b, rc, err, &why);
    else if (rc == 0 && r->bytes != b->bytes) {
        rc = mlr_error_set(err, MLREG_EDIGEST, "blob %s has %llu bytes, not %llu as named", b->digest.text,
                           (unsigned long long)r->bytes, (unsigned long long)b->bytes);
        mlr_reader_free(r);
    }
    if (rc == 0)
        *out = r;
    return at_blob(p, b, rc, err);
}

int mlr_place_blob_find(mlr_place *p, const char *repo, const mlr_digest *d, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    const mlr_blob b = { repo, *d, 0, NULL };
    int            rc = check_repo(repo, err);

    if (rc == 0)
        rc = p->ops->blob_open(p, &b, op, out, err);
    return at_blob(p, &b, rc, err);
}

int mlr_place_blob_later(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    int rc;

    if (p->ops->blob_later == NULL || b->bytes == 0)
        return mlr_place_blob_open(p, b, op, out, err);
    if ((rc = check_repo(b->repo, err)) == 0)
        rc = p->ops->blob_later(p, b, out, err);
    return at_blob(p, b, rc, err);
}

int mlr_place_blob_wrong(mlr_place *p, const mlr_blob *b, mlr_op *op)
{
    return p->ops->blob_wrong != NULL ? p->ops->blob_wrong(p, b, op) : 0;
}

int mlr_place_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0 && (rc = check_repo(b->repo, err)) == 0 && r->bytes != b->bytes)
        rc = mlr_error_set(err, MLREG_EDIGEST, "%s has %llu bytes, not %llu as %s is named", r->name,
                           (unsigned long long)r->bytes, (unsigned long long)b->bytes, b->digest.text);
    if (rc == 0)
        rc = p->ops->blob_write(p, b, r, op, err);
    return at_blob(p, b, rc, err);
}

static int gather(mlr_place *p, bool begin, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);

    if (rc == 0 && p->ops->gather != NULL)
        rc = p->ops->gather(p, begin, op, err);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_gather_begin(mlr_place *p, mlr_op *op, mlreg_error **err)
{
    return gather(p, true, op, err);
}

int mlr_place_gather_end(mlr_place *p, mlr_op *op, mlreg_error **err)
{
    return gather(p, false, op, err);
}

int mlr_place_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0 && (rc = check_repo(b->repo, err)) == 0 && (rc = check_repo(from_repo, err)) == 0)
        rc = p->ops->mount != NULL && (p->can & MLREG_CAN_MOUNT) ? p->ops->mount(p, b, from_repo, op, err) : 0;
    return at_blob(p, b, rc, err);
}

static int hash_then_write(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest,
                           mlreg_error **err)
{
    mlr_blob b = { repo, { "" }, r->bytes, NULL };
    int      rc = mlr_intake(p->rt, r, NULL, NULL, op, &b.digest, err);

    if (rc == 0 && (rc = p->ops->blob_write(p, &b, r, op, err)) == 0)
        *digest = b.digest;
    return rc;
}

static int take(mlr_place *p, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op,
                mlr_digest *digest, mlreg_error **err)
{
    if (ahead != NULL && p->ops->blob_take_ahead != NULL)
        return p->ops->blob_take_ahead(p, repo, r, ahead, op, digest, err);
    return p->ops->blob_take != NULL ? p->ops->blob_take(p, repo, r, op, digest, err)
                                     : hash_then_write(p, repo, r, op, digest, err);
}

int mlr_place_blob_take(mlr_place *p, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op,
                        mlr_digest *digest, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0 && (rc = check_repo(repo, err)) == 0)
        rc = take(p, repo, r, ahead, op, digest, err);
    mlr_error_subject(err, rc, r->name);
    return mlr_error_at(err, rc, p->name);
}

/* ---- what comes in pieces ---- */

int mlr_place_incoming(mlr_place *p, const char *repo, const char *id, mlr_op *op, mlr_incoming **out, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);

    if (rc == 0 && (rc = check_repo(repo, err)) == 0)
        rc = p->ops->incoming != NULL ? p->ops->incoming(p, repo, id, op, out, err) : cannot(p, "take blobs in pieces", err);
    mlr_error_subject(err, rc, id != NULL ? id : repo);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_arrive(mlr_place *p, const char *repo, mlr_incoming *in, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    return mlr_error_at(err, p->ops->arrive(p, repo, in, d, op, err), p->name);
}

int mlr_place_release(mlr_place *p, const mlr_digest *d, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);

    if (rc == 0 && p->ops->release != NULL)
        rc = p->ops->release(p, d, err);
    return mlr_error_at(err, rc, p->name);
}

static int read_all(const mlr_blob *b, mlr_reader *r, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    mlr_digest got;
    int64_t    n = 0;
    int        rc;

    if ((rc = mlr_buf_reserve(out, (size_t)b->bytes, err)) < 0 ||
        (b->bytes > 0 && (n = mlr_reader_read_at(r, 0, out->data + out->len, (size_t)b->bytes, op, err)) < 0))
        return rc < 0 ? rc : (int)n;
    if ((uint64_t)n != b->bytes)
        return mlr_error_set(err, MLREG_EDIGEST, "blob %s ends after %lld of %llu bytes", b->digest.text, (long long)n,
                             (unsigned long long)b->bytes);
    mlr_digest_of(out->data + out->len, (size_t)n, &got);
    if ((rc = mlr_digest_check(&got, &b->digest, "blob", err)) < 0)
        return rc;
    out->len += (size_t)n;
    out->data[out->len] = 0;
    return 0;
}

static int open_and_read(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int         rc = mlr_place_blob_open(p, b, op, &r, err);

    if (rc == 0)
        rc = read_all(b, r, op, out, err);
    mlr_reader_free(r);
    return rc;
}

int mlr_place_blob_bytes(mlr_place *p, const mlr_blob *b, size_t max, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int          rc;

    if (b->bytes > max) {
        rc = mlr_error_set(err, MLREG_ELIMIT, "blob %s has %llu bytes, %zu are allowed here", b->digest.text,
                           (unsigned long long)b->bytes, max);
        return at_blob(p, b, rc, err);
    }
    do {
        mlr_error_done(why);
        why = NULL;
        rc = open_and_read(p, b, op, out, &why);
    } while (rc == MLREG_EDIGEST && mlr_place_blob_wrong(p, b, op) > 0);
    mlr_error_move(err, &why);
    return at_blob(p, b, rc, err);
}

/* ---- the rest: powers that few kinds have ---- */

int mlr_place_login(mlr_place *p, const char *name, const char *secret, mlr_op *op, char **where, mlreg_error **err)
{
    int rc = p->ops->login != NULL ? p->ops->login(p, name, secret, op, where, err) : cannot(p, "be logged in to", err);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_gc(mlr_place *p, const mlreg_gc_options *o, mlr_op *op, mlreg_gc_report *out, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0)
        rc = p->ops->gc != NULL ? p->ops->gc(p, o, op, out, err) : cannot(p, "be collected from here", err);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_fsck(mlr_place *p, uint32_t flags, mlr_op *op, mlr_list **problems, mlreg_error **err)
{
    mlr_list *list = NULL;
    int       rc = flags & MLREG_FSCK_REPAIR ? mlr_place_check_writable(p, err) : 0;

    if (rc == 0 && (rc = mlr_list_new(&list, err)) == 0)
        rc = p->ops->fsck != NULL ? p->ops->fsck(p, flags, op, list, err) : cannot(p, "be checked from here", err);
    return finish_list(p, rc, list, problems, err);
}
