/* api/api_bed.h - for tests of the public calls: sessions, sources in memory and small artifacts. Include after cmocka.h. */
#ifndef MLR_API_BED_H
#define MLR_API_BED_H
#include <mlreg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For calls whose last argument is `&err`: the code must be `want`, and an error is there just when it is a failure. */
#define api_rc(call, want)                                                                                             \
    do {                                                                                                               \
        mlreg_error *err = NULL;                                                                                       \
        int api_rc_ = (int)(call);                                                                                     \
        if (api_rc_ != (want))                                                                                         \
            fail_msg("%s gave %d (%s), not %d", #call, api_rc_, mlreg_error_message(err), (want));                     \
        assert_int_equal(mlreg_error_code(err), api_rc_ < 0 ? api_rc_ : 0);                                            \
        mlreg_error_free(err);                                                                                         \
    } while (0)

static inline mlreg_session *api_open(const char *location, uint32_t flags)
{
    mlreg_session_options o;
    mlreg_session *s = NULL;

    MLREG_INIT(o);
    o.flags = flags;
    o.ca_file = getenv("MLREG_TEST_CA_FILE");
    api_rc(mlreg_session_open(location, &o, &s, &err), 0);
    return s;
}

/* Bytes that a source gives; what it saw is counted here. */
typedef struct api_bytes {
    const char *data;
    size_t len;
    int released, reads;
    int failure;               /* a code that read_at answers with; 0: the bytes */
} api_bytes;

static inline int64_t api_bytes_read(void *user, uint64_t offset, void *buf, size_t len)
{
    api_bytes *b = user;
    size_t left = offset < b->len ? b->len - (size_t)offset : 0, n = len < left ? len : left;

    b->reads++;
    if (b->failure < 0)
        return b->failure;
    if (n > 0)
        memcpy(buf, b->data + offset, n);
    return (int64_t)n;
}

static inline void api_bytes_release(void *user)
{
    ((api_bytes *)user)->released++;
}

static inline mlreg_source api_source(api_bytes *b)
{
    mlreg_source s;

    MLREG_INIT(s);
    s.bytes = b->len;
    s.user = b;
    s.read_at = api_bytes_read;
    s.release = api_bytes_release;
    return s;
}

/* One layer more, under `title`. The code. */
static inline int api_add(mlreg_builder *b, const char *title, api_bytes *bytes, mlreg_error **err)
{
    mlreg_layer_options o;
    mlreg_source s = api_source(bytes);

    MLREG_INIT(o);
    o.title = title;
    return mlreg_builder_add_source(b, &o, &s, NULL, err);
}

/* An artifact of one layer "weights.bin" that holds `data`, committed under `ref`; a tag that is there moves. The code. */
static inline int api_try_build(mlreg_session *s, const char *ref, const void *data, size_t len, mlreg_op *op, mlreg_artifact **out, mlreg_error **err)
{
    api_bytes bytes = { .data = data, .len = len };
    mlreg_commit_options o;
    mlreg_builder *b = NULL;
    int rc;

    MLREG_INIT(o);
    o.flags = MLREG_COPY_MOVE_TAG;
    rc = mlreg_builder_new(s, MLREG_BUILD_ARTIFACT, "test/artifact", &b, err);
    if (rc == 0)
        rc = api_add(b, "weights.bin", &bytes, err);
    if (rc == 0)
        rc = mlreg_builder_commit(b, ref, &o, op, out, err);
    mlreg_builder_free(b);
    return rc;
}

static inline mlreg_artifact *api_build(mlreg_session *s, const char *ref, const char *text)
{
    mlreg_artifact *a = NULL;

    api_rc(api_try_build(s, ref, text, strlen(text), NULL, &a, &err), 0);
    return a;
}

static inline mlreg_builder *api_builder(mlreg_session *s)
{
    mlreg_builder *b = NULL;

    api_rc(mlreg_builder_new(s, MLREG_BUILD_ARTIFACT, "test/artifact", &b, &err), 0);
    return b;
}

static inline const char *api_digest(const mlreg_artifact *a)
{
    return mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0));
}
#endif
