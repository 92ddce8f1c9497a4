/* api/test_builder.c - the order of a builder's calls, and what becomes of the sources it is given. */
#include <pthread.h>
#include <stdbool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "bed/dir.h"

/* ---- order ---- */

static mlreg_builder *committed(mlreg_session *s)
{
    mlreg_builder *b = api_builder(s);

    api_rc(mlreg_builder_set_config(b, "application/json", "{}", 2, &err), 0);
    api_rc(mlreg_builder_commit(b, "a:1", NULL, NULL, NULL, &err), 0);
    return b;
}

static void test_builder__commits_once(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = committed(s);

    (void)state;
    api_rc(mlreg_builder_commit(b, "a:2", NULL, NULL, NULL, &err), MLREG_ESTATE);
    mlreg_builder_free(b);
    mlreg_session_free(s);
}

static void test_builder__takes_nothing_more_once_committed(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = committed(s);
    api_bytes bytes = { .data = "x", .len = 1 };

    (void)state;
    api_rc(mlreg_builder_set_config(b, "application/json", "{}", 2, &err), MLREG_ESTATE);
    api_rc(mlreg_builder_set_annotation(b, "k", "v", &err), MLREG_ESTATE);
    api_rc(mlreg_builder_set_subject(b, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", &err), MLREG_ESTATE);
    api_rc(mlreg_builder_add_file(b, NULL, "/dev/null", NULL, &err), MLREG_ESTATE);
    api_rc(mlreg_builder_add_tree(b, NULL, "/", NULL, &err), MLREG_ESTATE);
    api_rc(api_add(b, "x", &bytes, &err), MLREG_ESTATE);
    mlreg_builder_free(b);
    mlreg_session_free(s);
}

static void test_builder__an_empty_one_cannot_be_committed(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);

    (void)state;
    api_rc(mlreg_builder_commit(b, "a:1", NULL, NULL, NULL, &err), MLREG_EINVAL);
    mlreg_builder_free(b);
    mlreg_session_free(s);
}

static void test_builder__unknown_kinds_are_refused(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = NULL;

    (void)state;
    api_rc(mlreg_builder_new(s, 3, NULL, &b, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_new(s, -1, NULL, &b, &err), MLREG_EINVAL);
    assert_null(b);
    mlreg_session_free(s);
}

static void test_builder__null_is_refused_by_every_call(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s), *none = NULL;
    const char *const nothing[] = { NULL };
    mlreg_commit_options o;

    (void)state;
    api_rc(mlreg_builder_new(NULL, MLREG_BUILD_ARTIFACT, NULL, &none, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_new(s, MLREG_BUILD_ARTIFACT, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_set_config(NULL, "t", "{}", 2, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_set_config(b, NULL, "{}", 2, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_set_config(b, "t", NULL, 2, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_set_subject(NULL, "x", &err), MLREG_EINVAL);
    api_rc(mlreg_builder_set_subject(b, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_set_annotation(NULL, "k", "v", &err), MLREG_EINVAL);
    api_rc(mlreg_builder_set_annotation(b, NULL, "v", &err), MLREG_EINVAL);
    api_rc(mlreg_builder_set_annotation(b, "k", NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_set_annotation(b, "", "v", &err), MLREG_EINVAL);
    api_rc(mlreg_builder_add_tree(NULL, NULL, "/", NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_add_tree(b, NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_add_file(NULL, NULL, "/", NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_add_file(b, NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_add_source(b, NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_commit(NULL, "a:1", NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_commit(b, NULL, NULL, NULL, NULL, &err), MLREG_EINVAL);
    MLREG_INIT(o);
    o.n_also = 1;
    api_rc(mlreg_builder_commit(b, "a:1", &o, NULL, NULL, &err), MLREG_EINVAL);
    o.also = nothing;
    api_rc(mlreg_builder_commit(b, "a:1", &o, NULL, NULL, &err), MLREG_EINVAL);
    mlreg_builder_free(b);
    mlreg_session_free(s);
}

static void test_builder__further_tags_name_the_same(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);
    mlreg_artifact *a = NULL, *found = NULL;
    const char *const also[] = { "latest" };
    mlreg_commit_options o;

    (void)state;
    MLREG_INIT(o);
    o.also = also;
    o.n_also = 1;
    api_rc(mlreg_builder_set_config(b, "application/json", "{}", 2, &err), 0);
    api_rc(mlreg_builder_commit(b, "a:1", &o, NULL, &a, &err), 0);
    api_rc(mlreg_session_resolve(s, "a:latest", NULL, NULL, &found, &err), 0);
    assert_string_equal(api_digest(a), api_digest(found));
    mlreg_artifact_free(a);
    mlreg_artifact_free(found);
    mlreg_builder_free(b);
    mlreg_session_free(s);
}

static void test_builder__a_taken_tag_is_kept(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *first = api_build(s, "a:1", "first"), *found = NULL;
    mlreg_builder *b = api_builder(s);
    api_bytes bytes = { .data = "second", .len = 6 };

    (void)state;
    api_rc(api_add(b, "x", &bytes, &err), 0);
    api_rc(mlreg_builder_commit(b, "a:1", NULL, NULL, NULL, &err), MLREG_EEXISTS);
    api_rc(mlreg_session_resolve(s, "a:1", NULL, NULL, &found, &err), 0);
    assert_string_equal(api_digest(found), api_digest(first));
    mlreg_artifact_free(found);
    mlreg_artifact_free(first);
    mlreg_builder_free(b);
    mlreg_session_free(s);
}

static void test_builder__same_input_gives_the_same_digest(void **state)
{
    char *dir = bed_dir_new();
    mlreg_session *memory = api_open("memory:", 0), *store = api_open(bed_at(dir, "store"), MLREG_OPEN_CREATE);
    mlreg_artifact *one = api_build(memory, "a:1", "x"), *two = api_build(store, "b:2", "x");

    (void)state;
    assert_string_equal(api_digest(one), api_digest(two));
    mlreg_artifact_free(one);
    mlreg_artifact_free(two);
    mlreg_session_free(memory);
    mlreg_session_free(store);
    bed_dir_remove(dir);
}

static void test_builder__a_tree_becomes_its_files_in_order(void **state)
{
    char *dir = bed_dir_new();
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);
    mlreg_artifact *a = NULL;

    (void)state;
    bed_write(bed_at(dir, "b.txt"), "b");
    bed_write(bed_at(dir, "a.txt"), "a");
    bed_write(bed_at(dir, ".hidden"), "h");
    api_rc(mlreg_builder_add_tree(b, NULL, dir, NULL, &err), 0);
    api_rc(mlreg_builder_commit(b, "a:1", NULL, NULL, &a, &err), 0);
    assert_int_equal(mlreg_artifact_count(a, MLREG_PART_LAYER), 2);
    assert_string_equal(mlreg_descriptor_title(mlreg_artifact_at(a, MLREG_PART_LAYER, 0)), "a.txt");
    assert_string_equal(mlreg_descriptor_title(mlreg_artifact_at(a, MLREG_PART_LAYER, 1)), "b.txt");
    mlreg_artifact_free(a);
    mlreg_builder_free(b);
    mlreg_session_free(s);
    bed_dir_remove(dir);
}

/* ---- sources ---- */

static void test_source__is_released_once_after_a_commit(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);
    api_bytes bytes = { .data = "x", .len = 1 };

    (void)state;
    api_rc(api_add(b, "x", &bytes, &err), 0);
    assert_int_equal(bytes.released, 0);
    api_rc(mlreg_builder_commit(b, "a:1", NULL, NULL, NULL, &err), 0);
    mlreg_builder_free(b);
    assert_int_equal(bytes.released, 1);
    mlreg_session_free(s);
}

static void test_source__is_released_once_when_nothing_is_committed(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);
    api_bytes bytes = { .data = "x", .len = 1 };

    (void)state;
    api_rc(api_add(b, "x", &bytes, &err), 0);
    mlreg_builder_free(b);
    assert_int_equal(bytes.released, 1);
    assert_int_equal(bytes.reads, 0);
    mlreg_session_free(s);
}

static void test_source__is_released_once_by_each_failed_add(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = committed(s);
    api_bytes bytes = { .data = "x", .len = 1 };
    mlreg_source source = api_source(&bytes), unreadable = source;
    mlreg_layer_options bad;
    int n = 0;

    (void)state;
    MLREG_INIT(bad);
    bad.flags = 1;
    unreadable.read_at = NULL;
    api_rc(api_add(b, "x", &bytes, &err), MLREG_ESTATE);
    assert_int_equal(bytes.released, ++n);
    mlreg_builder_free(b);
    b = api_builder(s);
    api_rc(mlreg_builder_add_source(b, NULL, &source, NULL, &err), MLREG_EINVAL);
    assert_int_equal(bytes.released, ++n);
    api_rc(mlreg_builder_add_source(b, &bad, &source, NULL, &err), MLREG_EINVAL);
    assert_int_equal(bytes.released, ++n);
    api_rc(api_add(b, "../x", &bytes, &err), MLREG_EINVAL);
    assert_int_equal(bytes.released, ++n);
    api_rc(api_add(NULL, "x", &bytes, &err), MLREG_EINVAL);
    assert_int_equal(bytes.released, ++n);
    api_rc(mlreg_builder_add_source(b, NULL, &unreadable, NULL, &err), MLREG_EINVAL);
    assert_int_equal(bytes.released, ++n);
    mlreg_builder_free(b);
    assert_int_equal(bytes.released, n);
    mlreg_session_free(s);
}

static void test_source__its_negative_code_comes_back(void **state)
{
    static const int codes[] = { MLREG_EIO, MLREG_ENET, MLREG_EDENIED, MLREG_ECANCELLED };
    mlreg_session *s = api_open("memory:", 0);

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        mlreg_builder *b = api_builder(s);
        api_bytes bytes = { .data = "x", .len = 1, .failure = codes[i] };

        api_rc(api_add(b, "x", &bytes, &err), 0);
        api_rc(mlreg_builder_commit(b, "a:1", NULL, NULL, NULL, &err), codes[i]);
        mlreg_builder_free(b);
        assert_int_equal(bytes.released, 1);
    }
    mlreg_session_free(s);
}

static int64_t too_short(void *user, uint64_t offset, void *buf, size_t len)
{
    (void)user;
    if (offset > 0 || len == 0)
        return 0;
    memcpy(buf, "x", 1);
    return 1;
}

static void test_source__that_ends_early_fails_the_commit(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);
    mlreg_artifact *found = NULL;
    mlreg_layer_options o;
    mlreg_source source;

    (void)state;
    MLREG_INIT(o);
    MLREG_INIT(source);
    o.title = "x";
    source.bytes = 10;
    source.read_at = too_short;
    api_rc(mlreg_builder_add_source(b, &o, &source, NULL, &err), 0);
    assert_true(mlreg_builder_commit(b, "a:1", NULL, NULL, NULL, NULL) < 0);
    api_rc(mlreg_session_resolve(s, "a:1", NULL, NULL, &found, &err), MLREG_ENOTFOUND);
    mlreg_builder_free(b);
    mlreg_session_free(s);
}

typedef struct home { pthread_t caller; int reads; bool strayed; } home;

static int64_t read_at_home(void *user, uint64_t offset, void *buf, size_t len)
{
    home *h = user;

    h->reads++;
    h->strayed |= !pthread_equal(pthread_self(), h->caller);
    if (offset >= 100000)
        return 0;
    size_t n = len < 100000 - offset ? len : (size_t)(100000 - offset);
    memset(buf, 'h', n);
    return (int64_t)n;
}

static void release_at_home(void *user)
{
    home *h = user;

    h->strayed |= !pthread_equal(pthread_self(), h->caller);
}

static void test_source__is_called_on_the_calling_thread(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);
    home h = { .caller = pthread_self() };
    mlreg_layer_options o;
    mlreg_source source;
    char title[20];

    (void)state;
    MLREG_INIT(o);
    MLREG_INIT(source);
    source.bytes = 100000;
    source.user = &h;
    source.read_at = read_at_home;
    source.release = release_at_home;
    o.title = title;
    for (int i = 0; i < 8; i++) {
        snprintf(title, sizeof title, "layer-%d", i);
        api_rc(mlreg_builder_add_source(b, &o, &source, NULL, &err), 0);
    }
    api_rc(mlreg_builder_commit(b, "a:1", NULL, NULL, NULL, &err), 0);
    mlreg_builder_free(b);
    assert_true(h.reads >= 8);
    assert_false(h.strayed);
    mlreg_session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builder__commits_once),
        cmocka_unit_test(test_builder__takes_nothing_more_once_committed),
        cmocka_unit_test(test_builder__an_empty_one_cannot_be_committed),
        cmocka_unit_test(test_builder__unknown_kinds_are_refused),
        cmocka_unit_test(test_builder__null_is_refused_by_every_call),
        cmocka_unit_test(test_builder__further_tags_name_the_same),
        cmocka_unit_test(test_builder__a_taken_tag_is_kept),
        cmocka_unit_test(test_builder__same_input_gives_the_same_digest),
        cmocka_unit_test(test_builder__a_tree_becomes_its_files_in_order),
        cmocka_unit_test(test_source__is_released_once_after_a_commit),
        cmocka_unit_test(test_source__is_released_once_when_nothing_is_committed),
        cmocka_unit_test(test_source__is_released_once_by_each_failed_add),
        cmocka_unit_test(test_source__its_negative_code_comes_back),
        cmocka_unit_test(test_source__that_ends_early_fails_the_commit),
        cmocka_unit_test(test_source__is_called_on_the_calling_thread),
    };
    return cmocka_run_group_tests_name("api/builder", tests, NULL, NULL);
}
