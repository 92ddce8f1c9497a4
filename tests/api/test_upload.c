/* api/test_upload.c - content by digest: blobs in pieces, manifests byte for byte, as a registry is asked for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "api/api_bed.h"
#include "bed/dir.h"
#include "codec/digest.h"

typedef struct bed { char *dir; mlreg_session *s; } bed;

static bed begin(void)
{
    bed b = { bed_dir_new(), NULL };

    b.s = api_open(bed_at(b.dir, "store"), MLREG_OPEN_CREATE);
    return b;
}

static void end(bed *b)
{
    mlreg_session_free(b->s);
    bed_dir_remove(b->dir);
}

static const char *digest_of(const char *text)
{
    static mlr_digest d;

    mlr_digest_of(text, strlen(text), &d);
    return d.text;
}

static mlreg_upload *open_upload(mlreg_session *s, const char *repo, const char *id)
{
    mlreg_upload *u = NULL;

    api_rc(mlreg_upload_open(s, repo, id, NULL, &u, &err), 0);
    return u;
}

static void put_blob(mlreg_session *s, const char *repo, const char *text)
{
    mlreg_upload *u = open_upload(s, repo, NULL);

    api_rc(mlreg_upload_write(u, text, strlen(text), &err), 0);
    api_rc(mlreg_upload_commit(u, digest_of(text), NULL, &err), 0);
    mlreg_upload_free(u);
}

static int has(mlreg_session *s, const char *repo, const char *digest)
{
    uint64_t bytes;

    return mlreg_session_blob(s, repo, digest, NULL, &bytes, NULL);
}

/* Files of uploads that are left in the store. */
static int left(const bed *b)
{
    DIR *d = opendir(bed_at(b->dir, "store/.mlreg/partial"));
    int n = 0;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strncmp(e->d_name, ".tmp-upload-", 12) == 0;
    closedir(d);
    return n;
}

static void test_upload__in_pieces_becomes_a_blob_of_its_repository_alone(void **state)
{
    bed b = begin();
    mlreg_upload *u = open_upload(b.s, "team/x", NULL);
    const char *digest = digest_of("some weights");
    uint64_t bytes = 0;
    char got[13] = "";
    int fd = -1;

    (void)state;
    api_rc(mlreg_upload_write(u, "some ", 5, &err), 0);
    api_rc(mlreg_upload_write(u, "weights", 7, &err), 0);
    assert_int_equal(mlreg_upload_bytes(u), 12);
    assert_int_equal(strlen(mlreg_upload_id(u)), 32);
    assert_int_equal(has(b.s, "team/x", digest), MLREG_ENOTFOUND);
    api_rc(mlreg_upload_commit(u, digest, NULL, &err), 0);
    api_rc(mlreg_upload_write(u, "more", 4, &err), MLREG_ESTATE);
    mlreg_upload_free(u);
    api_rc(mlreg_session_blob(b.s, "team/x", digest, NULL, &bytes, &err), 0);
    assert_int_equal(bytes, 12);
    api_rc(mlreg_session_blob_fd(b.s, "team/x", digest, NULL, &fd, &bytes, &err), 0);
    assert_int_equal(read(fd, got, sizeof got), 12);
    assert_string_equal(got, "some weights");
    close(fd);
    assert_int_equal(has(b.s, "team/y", digest), MLREG_ENOTFOUND);
    assert_int_equal(left(&b), 0);
    end(&b);
}

static void test_upload__with_other_bytes_is_refused_and_is_as_before(void **state)
{
    bed b = begin();
    mlreg_upload *u = open_upload(b.s, "team/x", NULL);
    char id[33];

    (void)state;
    api_rc(mlreg_upload_write(u, "some ", 5, &err), 0);
    api_rc(mlreg_upload_commit(u, digest_of("some weights"), NULL, &err), MLREG_EDIGEST);
    api_rc(mlreg_upload_commit(u, "md5:00", NULL, &err), MLREG_ENOTSUP);
    snprintf(id, sizeof id, "%s", mlreg_upload_id(u));
    mlreg_upload_free(u);
    u = open_upload(b.s, "team/x", id);
    api_rc(mlreg_upload_write(u, "weights", 7, &err), 0);
    api_rc(mlreg_upload_commit(u, digest_of("some weights"), NULL, &err), 0);
    mlreg_upload_free(u);
    assert_int_equal(has(b.s, "team/x", digest_of("some weights")), 0);
    end(&b);
}

/* Written by a process that was killed: with its last word kept, with none, and with a journal that says something else. */
static void test_upload__goes_on_in_the_next_process(void **state)
{
    enum { KEPT, NOT_KEPT, SPOILT, N };

    (void)state;
    for (int how = KEPT; how < N; how++) {
        bed b = begin();
        mlreg_upload *u = NULL;
        char id[33] = "";
        int ends[2], status;
        pid_t child;

        assert_int_equal(pipe(ends), 0);
        mlreg_session_free(b.s);
        if ((child = fork()) == 0) {
            b.s = NULL;
            if (mlreg_session_open(bed_at(b.dir, "store"), NULL, &b.s, NULL) < 0 || mlreg_upload_open(b.s, "team/x", NULL, NULL, &u, NULL) < 0 ||
                mlreg_upload_write(u, "some ", 5, NULL) < 0 || (how != NOT_KEPT && mlreg_upload_keep(u, NULL) < 0) ||
                write(ends[1], mlreg_upload_id(u), 32) != 32)
                _exit(1);
            raise(SIGKILL);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(read(ends[0], id, 32), 32);
        b.s = api_open(bed_at(b.dir, "store"), 0);
        if (how == SPOILT) {
            char journal[BED_PATH_MAX];
            FILE *f;
            snprintf(journal, sizeof journal, "%s/.tmp-upload-%s.journal", bed_at(b.dir, "store/.mlreg/partial"), id);
            assert_non_null(f = fopen(journal, "r+"));
            assert_int_equal(fseek(f, 140, SEEK_SET), 0);
            assert_int_equal(fputs("XXXX", f) >= 0, 1);
            fclose(f);
        }
        u = open_upload(b.s, "team/x", id);
        assert_int_equal(mlreg_upload_bytes(u), 5);
        api_rc(mlreg_upload_write(u, "weights", 7, &err), 0);
        api_rc(mlreg_upload_commit(u, digest_of("some weights"), NULL, &err), 0);
        mlreg_upload_free(u);
        close(ends[0]);
        close(ends[1]);
        end(&b);
    }
}

static void test_upload__is_found_by_its_own_repository_and_held_by_one(void **state)
{
    static const char *const strange[] = { "", "../x", "00000000000000000000000000000000", "0000000000000000000000000000000/", "gate" };
    bed b = begin();
    mlreg_upload *u = open_upload(b.s, "team/x", NULL), *other = NULL;
    char id[33];

    (void)state;
    snprintf(id, sizeof id, "%s", mlreg_upload_id(u));
    api_rc(mlreg_upload_open(b.s, "team/x", id, NULL, &other, &err), MLREG_EBUSY);
    mlreg_upload_free(u);
    api_rc(mlreg_upload_open(b.s, "team/y", id, NULL, &other, &err), MLREG_ENOTFOUND);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        api_rc(mlreg_upload_open(b.s, "team/x", strange[i], NULL, &other, &err), MLREG_ENOTFOUND);
    u = open_upload(b.s, "team/x", id);
    mlreg_upload_cancel(u);
    mlreg_upload_free(u);
    api_rc(mlreg_upload_open(b.s, "team/x", id, NULL, &other, &err), MLREG_ENOTFOUND);
    assert_int_equal(left(&b), 0);
    end(&b);
}

static void test_upload__of_a_forked_child_leaves_the_parent_s_files(void **state)
{
    bed b = begin();
    mlreg_upload *u = open_upload(b.s, "team/x", NULL);
    int status;
    pid_t child;

    (void)state;
    api_rc(mlreg_upload_write(u, "some weights", 12, &err), 0);
    if ((child = fork()) == 0) {
        mlreg_upload_cancel(u);
        status = mlreg_upload_write(u, "x", 1, NULL);
        mlreg_upload_free(u);
        _exit(status == MLREG_ESTATE ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    api_rc(mlreg_upload_commit(u, digest_of("some weights"), NULL, &err), 0);
    mlreg_upload_free(u);
    end(&b);
}

static int collect(mlreg_session *s)
{
    mlreg_gc_options o;

    MLREG_INIT(o);
    o.grace_ms = MLREG_NONE;
    return mlreg_session_gc(s, &o, NULL, NULL, NULL);
}

static void test_blob__is_safe_from_gc_until_it_is_released(void **state)
{
    bed b = begin();
    mlreg_session *other = api_open(bed_at(b.dir, "store"), 0);
    const char *digest = digest_of("some weights");

    (void)state;
    put_blob(b.s, "team/x", "some weights");
    assert_int_equal(collect(other), 0);
    assert_int_equal(has(b.s, "team/x", digest), 0);          /* held once more */
    api_rc(mlreg_session_release(b.s, "team/x", digest, &err), 0);
    assert_int_equal(collect(other), 0);
    assert_int_equal(has(other, "team/x", digest), 0);
    api_rc(mlreg_session_release(other, "team/x", digest, &err), 0);
    api_rc(mlreg_session_release(b.s, "team/x", digest, &err), 0);
    api_rc(mlreg_session_release(b.s, "team/x", digest, &err), 0);      /* too many are no error */
    assert_int_equal(collect(other), 0);
    assert_int_equal(has(b.s, "team/x", digest), MLREG_ENOTFOUND);
    mlreg_session_free(other);
    end(&b);
}

static void test_mount__shares_a_blob_that_the_other_repository_has(void **state)
{
    bed b = begin();
    const char *digest = digest_of("some weights");

    (void)state;
    put_blob(b.s, "team/x", "some weights");
    api_rc(mlreg_session_mount(b.s, "team/y", digest, "team/z", NULL, &err), MLREG_ENOTFOUND);
    assert_int_equal(has(b.s, "team/y", digest), MLREG_ENOTFOUND);
    api_rc(mlreg_session_mount(b.s, "team/y", digest, "team/x", NULL, &err), 0);
    assert_int_equal(has(b.s, "team/y", digest), 0);
    end(&b);
}

/* ---- manifests ---- */

#define TYPE "application/vnd.oci.image.manifest.v1+json"

static const char *manifest_of(const char *config, const char *more)
{
    static char text[1000];

    snprintf(text, sizeof text, "{\"schemaVersion\":2, \"mediaType\":\"" TYPE "\",\"config\":{\"mediaType\":\"test/config\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[]%s}",
             digest_of(config), strlen(config), more);
    return text;
}

static int put(mlreg_session *s, const char *ref, const char *type, const char *json, uint32_t flags, mlreg_error **err)
{
    mlreg_copy_options o;

    MLREG_INIT(o);
    o.flags = flags;
    return mlreg_session_put(s, ref, type, json, strlen(json), &o, NULL, NULL, err);
}

static void test_put__keeps_every_byte_and_names_it(void **state)
{
    bed b = begin();
    const char *json = manifest_of("{}", "");
    mlreg_artifact *a = NULL;
    size_t len;

    (void)state;
    api_rc(put(b.s, "team/x:1", TYPE, json, 0, &err), MLREG_ENOTFOUND);
    put_blob(b.s, "team/x", "{}");
    json = manifest_of("{}", "");
    api_rc(put(b.s, "team/x:1", "application/vnd.oci.image.index.v1+json", json, 0, &err), MLREG_EPROTO);
    api_rc(put(b.s, "team/x@sha256:0000000000000000000000000000000000000000000000000000000000000000", TYPE, json, 0, &err), MLREG_EINVAL);
    api_rc(mlreg_session_resolve(b.s, "team/x:1", NULL, NULL, &a, &err), MLREG_ENOTFOUND);
    api_rc(mlreg_session_put(b.s, "team/x:1", TYPE, json, strlen(json), NULL, NULL, &a, &err), 0);
    assert_string_equal(mlreg_artifact_json(a, &len), json);
    assert_int_equal(len, strlen(json));
    mlreg_artifact_free(a);
    json = manifest_of("{}", ",\"annotations\":{\"a\":\"b\"}");
    api_rc(put(b.s, "team/x:1", NULL, json, 0, &err), MLREG_EEXISTS);
    api_rc(put(b.s, "team/x:1", NULL, json, MLREG_COPY_MOVE_TAG, &err), 0);
    api_rc(put(b.s, "team/x:1", NULL, "{}", MLREG_COPY_MOVE_TAG, &err), MLREG_EPROTO);
    api_rc(put(b.s, "team/x:1", NULL, json, MLREG_COPY_REFERRERS, &err), MLREG_EINVAL);
    end(&b);
}

/* Two repositories wait for the same blob; what becomes of one is nothing to the other. */
static void test_put__takes_options_of_every_age_and_no_choice_among_variants(void **state)
{
    mlreg_resolve_options wish;
    mlreg_copy_options o;
    bed b = begin();
    const char *json;

    (void)state;
    put_blob(b.s, "team/x", "{}");
    json = manifest_of("{}", "");
    MLREG_INIT(wish);
    MLREG_INIT(o);
    o.variant = &wish;
    api_rc(mlreg_session_put(b.s, "team/x:1", TYPE, json, strlen(json), &o, NULL, NULL, &err), MLREG_EINVAL);
    o.size = offsetof(mlreg_copy_options, variant);
    api_rc(mlreg_session_put(b.s, "team/x:1", TYPE, json, strlen(json), &o, NULL, NULL, &err), 0);
    end(&b);
}

static void test_put__leaves_held_what_others_wait_for(void **state)
{
    bed b = begin();
    mlreg_session *other = api_open(bed_at(b.dir, "store"), 0);
    const char *json;

    (void)state;
    put_blob(b.s, "team/x", "{}");
    put_blob(b.s, "team/y", "{}");
    json = manifest_of("{}", "");
    api_rc(put(b.s, "team/y:1", NULL, json, 0, &err), 0);
    api_rc(put(b.s, "team/y:2", NULL, json, 0, &err), 0);
    assert_int_equal(collect(other), 0);
    api_rc(put(b.s, "team/x:1", NULL, json, 0, &err), 0);
    mlreg_session_free(other);
    end(&b);
}

static void test_put__referrers_may_come_before_their_subject(void **state)
{
    bed b = begin();
    char subject[MLR_DIGEST_TEXT + 1], more[300], ref[200];
    mlreg_list *l = NULL;

    (void)state;
    put_blob(b.s, "team/x", "{}");
    snprintf(subject, sizeof subject, "%s", digest_of("not there"));
    snprintf(more, sizeof more, ",\"subject\":{\"mediaType\":\"" TYPE "\",\"digest\":\"%s\",\"size\":9}", subject);
    api_rc(put(b.s, "team/x", TYPE, manifest_of("{}", more), 0, &err), 0);
    snprintf(ref, sizeof ref, "team/x@%s", subject);
    api_rc(mlreg_session_referrers(b.s, ref, NULL, NULL, &l, &err), 0);
    assert_int_equal(mlreg_list_count(l), 1);
    mlreg_list_free(l);
    end(&b);
}

/* One whose config is "{}". */
static int put_artifact(mlreg_session *to, const char *ref)
{
    mlreg_builder *b = NULL;
    int rc;

    api_rc(mlreg_builder_new(to, MLREG_BUILD_ARTIFACT, NULL, &b, &err), 0);
    api_rc(mlreg_builder_set_config(b, TYPE, "{}", 2, &err), 0);
    rc = mlreg_builder_commit(b, ref, NULL, NULL, NULL, NULL);
    mlreg_builder_free(b);
    return rc;
}

static void test_content__elsewhere_is_not_supported_and_read_only_is_denied(void **state)
{
    bed b = begin();
    mlreg_session *memory = api_open("memory:", 0), *reader = api_open(bed_at(b.dir, "store"), MLREG_OPEN_READONLY);
    mlreg_session *far = api_open("http://127.0.0.1:1", 0), *layout;
    mlreg_upload *u = NULL;
    char where[300];
    int fd = -1;

    (void)state;
    snprintf(where, sizeof where, "oci:%s", bed_at(b.dir, "layout"));
    layout = api_open(where, MLREG_OPEN_CREATE);
    put_blob(b.s, "team/x", "{}");
    api_rc(mlreg_upload_open(memory, "team/x", NULL, NULL, &u, &err), MLREG_ENOTSUP);
    api_rc(mlreg_session_blob(far, "team/x", digest_of("{}"), NULL, NULL, &err), MLREG_ENOTSUP);
    api_rc(mlreg_session_blob_fd(far, "team/x", digest_of("{}"), NULL, &fd, NULL, &err), MLREG_ENOTSUP);
    api_rc(mlreg_session_mount(far, "team/y", digest_of("{}"), "team/x", NULL, &err), MLREG_ENOTSUP);
    assert_int_equal(put_artifact(layout, "1"), 0);
    assert_int_equal(put_artifact(memory, "team/x:1"), 0);
    assert_int_equal(has(layout, "", digest_of("{}")), 0);
    assert_int_equal(has(memory, "team/x", digest_of("{}")), 0);
    api_rc(mlreg_session_blob_fd(layout, "", digest_of("{}"), NULL, &fd, NULL, &err), MLREG_ENOTSUP);
    api_rc(mlreg_session_mount(layout, "", digest_of("{}"), "", NULL, &err), MLREG_ENOTSUP);
    api_rc(mlreg_upload_open(reader, "team/x", NULL, NULL, &u, &err), MLREG_EDENIED);
    api_rc(mlreg_session_mount(reader, "team/y", digest_of("{}"), "team/x", NULL, &err), MLREG_EDENIED);
    api_rc(mlreg_session_release(reader, "team/x", digest_of("{}"), &err), MLREG_EDENIED);
    api_rc(put(reader, "team/x:1", TYPE, manifest_of("{}", ""), 0, &err), MLREG_EDENIED);
    api_rc(mlreg_session_blob_fd(reader, "team/x", digest_of("{}"), NULL, &fd, NULL, &err), 0);
    close(fd);
    api_rc(mlreg_session_blob(reader, "team/x", "sha512:00", NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_blob(reader, "../x", digest_of("{}"), NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_blob(NULL, "x", "", NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_upload_keep(NULL, &err), MLREG_EINVAL);
    assert_null(mlreg_upload_id(NULL));
    assert_int_equal(mlreg_upload_bytes(NULL), 0);
    mlreg_upload_free(NULL);
    mlreg_session_free(reader);
    mlreg_session_free(memory);
    mlreg_session_free(layout);
    mlreg_session_free(far);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upload__in_pieces_becomes_a_blob_of_its_repository_alone),
        cmocka_unit_test(test_upload__with_other_bytes_is_refused_and_is_as_before),
        cmocka_unit_test(test_upload__goes_on_in_the_next_process),
        cmocka_unit_test(test_upload__is_found_by_its_own_repository_and_held_by_one),
        cmocka_unit_test(test_upload__of_a_forked_child_leaves_the_parent_s_files),
        cmocka_unit_test(test_blob__is_safe_from_gc_until_it_is_released),
        cmocka_unit_test(test_mount__shares_a_blob_that_the_other_repository_has),
        cmocka_unit_test(test_put__keeps_every_byte_and_names_it),
        cmocka_unit_test(test_put__takes_options_of_every_age_and_no_choice_among_variants),
        cmocka_unit_test(test_put__leaves_held_what_others_wait_for),
        cmocka_unit_test(test_put__referrers_may_come_before_their_subject),
        cmocka_unit_test(test_content__elsewhere_is_not_supported_and_read_only_is_denied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
