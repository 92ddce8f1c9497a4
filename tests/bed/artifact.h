/* bed/artifact.h - small artifacts for tests of places: blobs, manifests and indexes from a few words. Include after cmocka.h. */
#ifndef MLR_BED_ARTIFACT_H
#define MLR_BED_ARTIFACT_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "place/place.h"

/* For calls whose last argument is `&err`: fails the test with what the library says. */
#define bed_assert_rc(call, want)                                                                                      \
    do {                                                                                                               \
        mlreg_error *err = NULL;                                                                                       \
        int          bed_rc_ = (call);                                                                                 \
        if (bed_rc_ != (want))                                                                                         \
            fail_msg("%s gave %d (%s), not %d", #call, bed_rc_, err != NULL ? err->message : "no error", (want));      \
        mlr_error_done(err);                                                                                           \
    } while (0)

static inline mlr_blob bed_blob(const char *repo, const void *data, size_t len)
{
    mlr_blob b = { repo, { "" }, len, NULL };
    mlr_digest_of(data, len, &b.digest);
    return b;
}

static inline int bed_try_put(mlr_place *p, const mlr_blob *b, const void *data, size_t len, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int         rc = mlr_reader_from_memory(data, len, "test bytes", &r, err);
    if (rc == 0)
        rc = mlr_place_blob_write(p, b, r, NULL, err);
    mlr_reader_free(r);
    return rc;
}

static inline mlr_blob bed_put(mlr_place *p, const char *repo, const char *text)
{
    mlr_blob b = bed_blob(repo, text, strlen(text));
    bed_assert_rc(bed_try_put(p, &b, text, strlen(text), &err), 0);
    return b;
}

static inline mlr_manifest *bed_parse(const char *json)
{
    mlr_manifest *m = NULL;
    bed_assert_rc(mlr_manifest_parse(json, strlen(json), NULL, &m, &err), 0);
    return m;
}

#define BED_EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

/* A manifest with an empty config and one layer that holds `text`; not written. `subject` may be NULL. */
static inline mlr_manifest *bed_image_text(const char *text, const char *type, const mlr_manifest *subject)
{
    mlr_blob layer = bed_blob("", text, strlen(text));
    char     json[2048], of[512] = "";
    if (subject != NULL)
        snprintf(of, sizeof(of), ",\"subject\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}", subject->self.media_type,
                 subject->self.digest.text, (unsigned long long)subject->self.bytes);
    snprintf(json, sizeof(json),
             "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"artifactType\":\"%s\",\"config\":{\"mediaType\":\"" MLR_TYPE_EMPTY
             "\",\"digest\":\"" BED_EMPTY "\",\"size\":2},\"layers\":[{\"mediaType\":\"application/octet-stream\",\"digest\":\"%s\","
             "\"size\":%zu}]%s}",
             type, layer.digest.text, strlen(text), of);
    return bed_parse(json);
}

/* The same, with its blobs put where it will go. */
static inline mlr_manifest *bed_image(mlr_place *p, const char *repo, const char *text, const mlr_manifest *subject)
{
    bed_put(p, repo, "{}");
    bed_put(p, repo, text);
    return bed_image_text(text, "test/artifact", subject);
}

static inline mlr_manifest *bed_index(const mlr_manifest *const *children, size_t n)
{
    char   json[8192];
    size_t len = (size_t)snprintf(json, sizeof(json), "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[");
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(json + len, sizeof(json) - len, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}", i > 0 ? "," : "",
                                children[i]->self.media_type, children[i]->self.digest.text, (unsigned long long)children[i]->self.bytes);
    snprintf(json + len, sizeof(json) - len, "]}");
    return bed_parse(json);
}

/* Writes under a tag, or with tag NULL by digest alone. */
static inline int bed_try_tag(mlr_place *p, const char *repo, const char *tag, bool move, const mlr_manifest *m, mlreg_error **err)
{
    const mlr_ref      r = { (char *)repo, (char *)tag, { "" } };
    const mlr_tag_rule rule = { move, { "" } };
    return mlr_place_manifest_write(p, &r, &rule, m, NULL, err);
}

static inline void bed_tag(mlr_place *p, const char *repo, const char *tag, const mlr_manifest *m)
{
    bed_assert_rc(bed_try_tag(p, repo, tag, true, m, &err), 0);
}

/* The digest under a tag; "" if there is none. */
static inline mlr_digest bed_at_tag(mlr_place *p, const char *repo, const char *tag)
{
    const mlr_ref  r = { (char *)repo, (char *)tag, { "" } };
    mlr_descriptor d = { 0 };
    mlr_digest     digest = { "" };
    int            rc = mlr_place_resolve(p, &r, NULL, &d, NULL);
    assert_true(rc == 0 || rc == MLREG_ENOTFOUND);
    if (rc == 0)
        digest = d.digest;
    mlr_descriptor_done(&d);
    return digest;
}

static inline int bed_has(mlr_place *p, const char *repo, const char *text)
{
    mlr_blob b = bed_blob(repo, text, strlen(text));
    return mlr_place_blob_has(p, &b, NULL, NULL);
}

static inline int bed_read(mlr_place *p, const mlr_blob *b, mlr_buf *out, mlreg_error **err)
{
    return mlr_place_blob_bytes(p, b, 1 << 20, NULL, out, err);
}

/* Opens a place; fails the test if that fails. A registry with TLS is believed by the CA that tests/bed/with-registries names. */
static inline mlr_place *bed_open(const char *location, uint32_t flags, mlr_runtime *rt)
{
    mlreg_session_options o;
    mlr_place            *p = NULL;
    MLREG_INIT(o);
    o.flags = flags;
    o.ca_file = getenv("MLREG_TEST_CA_FILE");
    bed_assert_rc(mlr_place_open(location, &o, rt, NULL, &p, &err), 0);
    return p;
}
#endif
