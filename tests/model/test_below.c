/* tests/model/test_below.c - layers laid over each other by names and kinds alone. */
#include "model/below.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "image_bed.h"

/* A layer in one line, its entries between blanks: "a/" folder, "a" file, "a>b" link, "!" a device. "?": it is not known. */
static void lay(fixture *f, mlr_below *below, const char *entries)
{
    mlr_buf tar = BED_TAR_INIT;
    mlr_listing l = { MLR_BUF_INIT(0), false };
    char text[512], *rest = text;
    mlr_blob b;

    snprintf(text, sizeof text, "%s", entries);
    for (char *e = strtok_r(text, " ", &rest); e != NULL && strcmp(entries, "?") != 0; e = strtok_r(NULL, " ", &rest)) {
        char *link = strchr(e, '>');

        if (link != NULL)
            *link++ = '\0';
        entry(&tar, link != NULL ? '2' : e[0] == '!' ? '3' : e[strlen(e) - 1] == '/' ? '5' : '0', e, link, 0755);
    }
    bed_tar_end(&tar);
    b = bed_blob(REPO, tar.data, tar.len);
    bed_assert_rc(bed_try_put(f->place, &b, tar.data, tar.len, &err), 0);
    if (strcmp(entries, "?") != 0) {
        bed_assert_rc(mlr_listing_read(&l, f->place, &b, &b.digest, NULL, &err), 0);
        assert_true(l.known);
    }
    bed_assert_rc(mlr_below_lay(below, &l, NULL, &err), 0);
    mlr_listing_done(&l);
    mlr_buf_done(&tar);
}

static void assert_says(mlr_below *b, const char *name, mlr_member_kind kind, mlr_below_says want)
{
    mlr_below_found found = { 0 };
    mlr_below_says says = mlr_below_look(b, name, kind, &found);

    if (says != want)
        fail_msg("of \"%s\" (%d) it says %d, not %d", name, (int)kind, (int)says, (int)want);
}

static mlr_below *below_of(fixture *f, const char *const layers[])
{
    mlr_below *b = NULL;

    bed_assert_rc(mlr_below_new(&b, &err), 0);
    for (size_t i = 0; layers[i] != NULL; i++)
        lay(f, b, layers[i]);
    return b;
}
#define BELOW(f, ...) below_of(f, (const char *const[]){ __VA_ARGS__, NULL })
#define FILE_ MLR_MEMBER_FILE
#define DIR_  MLR_MEMBER_DIR

static void test_below__tells_folders_from_all_else(void **state)
{
    mlr_below *b = BELOW(*state, "./ ./a/ ./a/file c/d/e !dev");

    assert_says(b, "a", DIR_, MLR_BELOW_FREE);
    assert_says(b, "a", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "a", MLR_MEMBER_SYMLINK, MLR_BELOW_CLASH);
    assert_says(b, "a/file", FILE_, MLR_BELOW_FREE);
    assert_says(b, "a/file", DIR_, MLR_BELOW_CLASH);
    assert_says(b, "a/file/x", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "c", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "c/d", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "!dev", FILE_, MLR_BELOW_FREE);
    assert_says(b, "!dev", DIR_, MLR_BELOW_CLASH);
    assert_says(b, "new/a/b", FILE_, MLR_BELOW_FREE);
    mlr_below_free(b);
}

static void test_below__later_layers_replace_and_remove(void **state)
{
    mlr_below *b = BELOW(*state, "a/ a/b/ a/b/c x y/ y/z w/ w/old", "x/ x/in .wh.y a/b w/new w/.wh..wh..opq", "y v/ v/.wh.in");

    assert_says(b, "x", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "y", FILE_, MLR_BELOW_FREE);
    assert_says(b, "y/z", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "a/b", FILE_, MLR_BELOW_FREE);
    assert_says(b, "a/b/c", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "w/old/x", FILE_, MLR_BELOW_FREE);
    assert_says(b, "w/new/x", FILE_, MLR_BELOW_CLASH);
    mlr_below_free(b);
}

static void test_below__what_a_layer_has_itself_it_does_not_remove(void **state)
{
    mlr_below *b = BELOW(*state, "a/ a/old/ b/ b/old/", "a/ a/new/ .wh.a .wh.b b/ b/new/");

    for (const char *const *name = (const char *const[]){ "a", "b", NULL }; *name != NULL; name++) {
        char below[8];

        assert_says(b, *name, FILE_, MLR_BELOW_CLASH);
        snprintf(below, sizeof below, "%s/new", *name);
        assert_says(b, below, FILE_, MLR_BELOW_CLASH);
        snprintf(below, sizeof below, "%s/old", *name);
        assert_says(b, below, FILE_, MLR_BELOW_FREE);
    }
    mlr_below_free(b);
}

static void test_below__what_comes_back_comes_back_empty(void **state)
{
    mlr_below *b = BELOW(*state, "a/ a/b/ a/b/c/", ".wh.a", "a/b");

    assert_says(b, "a", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "a/b", FILE_, MLR_BELOW_FREE);
    mlr_below_free(b);
}

static void test_below__links_lead_within_it(void **state)
{
    mlr_below *b = BELOW(*state, "usr/ usr/lib/ lib>usr/lib abs>/usr/lib up>../../usr/lib two>lib usr/in>lib out>nowhere file>usr/f usr/f loop>loop a>b b>a", "lib/sub/x");

    for (const char *const *name = (const char *const[]){ "lib", "abs", "up", "two", "usr/in", NULL }; *name != NULL; name++) {
        char below[16];

        assert_says(b, *name, DIR_, MLR_BELOW_LINK);
        assert_says(b, *name, FILE_, MLR_BELOW_CLASH);
        assert_says(b, *name, MLR_MEMBER_SYMLINK, MLR_BELOW_FREE);
        snprintf(below, sizeof below, "%s/sub", *name);
        assert_says(b, below, DIR_, MLR_BELOW_THROUGH);
        assert_says(b, below, FILE_, MLR_BELOW_CLASH);
        snprintf(below, sizeof below, "%s/new", *name);
        assert_says(b, below, FILE_, MLR_BELOW_THROUGH);
    }
    assert_says(b, "usr/lib/sub", FILE_, MLR_BELOW_CLASH);      /* where the second layer put it */
    for (const char *const *name = (const char *const[]){ "out", "file", "loop", "a", NULL }; *name != NULL; name++) {
        assert_says(b, *name, DIR_, MLR_BELOW_CLASH);
        assert_says(b, *name, FILE_, MLR_BELOW_FREE);
    }
    mlr_below_free(b);
}

static void test_below__links_without_end_one_after_another_end_as_well(void **state)
{
    mlr_below *b = BELOW(*state, "a>a b>b c>c all>a/../b/../c all/x");

    assert_says(b, "all/x", FILE_, MLR_BELOW_THROUGH);
    assert_says(b, "c/x", DIR_, MLR_BELOW_CLASH);
    mlr_below_free(b);
}

/* Where a link leads is made while it is walked, and kept beside the link itself, which may have to move for that. */
static void test_below__folders_that_a_link_leads_to_are_made_on_the_way(void **state)
{
    mlr_below *b = BELOW(*state, "usr/");
    char layer[256], name[128];

    for (int i = 0; i < 20; i++) {
        snprintf(layer, sizeof layer, "l%02d>%02d-a-long-name-of-a-folder/%02d-another-one/%02d-and-one-in-that l%02d/x", i, i, i, i, i);
        lay(*state, b, layer);
    }
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%02d-a-long-name-of-a-folder/%02d-another-one/%02d-and-one-in-that/x", i, i, i);
        assert_says(b, name, DIR_, MLR_BELOW_CLASH);
        assert_says(b, name, FILE_, MLR_BELOW_FREE);
    }
    mlr_below_free(b);
}

/* A listing by hand: what a tar's header of 100 bytes has no room for. */
static void list(mlr_buf *out, mlr_member_kind kind, const char *name, const char *link)
{
    const char head[3] = { (char)kind, 0, 0 };

    assert_int_equal(mlr_buf_add(out, head, sizeof head, NULL), 0);
    assert_int_equal(mlr_buf_add(out, name, strlen(name) + 1, NULL), 0);
    if (link != NULL)
        assert_int_equal(mlr_buf_add(out, link, strlen(link) + 1, NULL), 0);
}

static void test_below__a_link_longer_than_any_system_makes_leads_nowhere(void **state)
{
    mlr_listing l = { MLR_BUF_INIT(65536), true };
    mlr_below *b = BELOW(*state, "a/");
    char longer[4097], *longest = longer + 1;

    for (size_t i = 0; i < 4096; i++)
        longer[i] = i % 2 == 0 ? '/' : '.';
    longer[4095] = 'a';
    longer[4096] = '\0';
    list(&l.bytes, MLR_MEMBER_SYMLINK, "longest", longest);
    list(&l.bytes, MLR_MEMBER_SYMLINK, "longer", longer);
    bed_assert_rc(mlr_below_lay(b, &l, NULL, &err), 0);
    assert_says(b, "longest", DIR_, MLR_BELOW_LINK);
    assert_says(b, "longer", DIR_, MLR_BELOW_CLASH);
    mlr_listing_done(&l);
    mlr_below_free(b);
}

/* XXH3 of 32 bytes does not see the second eight where the first are those of its secret: names that all have one sum. Quadratic work would
 * take longer than a test may. */
static void test_below__names_that_one_hash_cannot_tell_apart_take_no_longer(void **state)
{
    enum { NAMES = 400000, LEN = 32 };
    static const unsigned char secret[8] = { 0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe };
    mlr_listing l = { MLR_BUF_INIT(16 << 20), true };
    mlr_below *b = BELOW(*state, "a/");
    char name[LEN + 1];

    memset(name, 'x', LEN);
    name[LEN] = '\0';
    memcpy(name, secret, sizeof secret);
    for (unsigned i = 0; i < NAMES; i++) {
        for (unsigned k = 0; k < 8; k++)
            name[8 + k] = (char)('a' + (i >> 4 * k) % 16);
        list(&l.bytes, MLR_MEMBER_FILE, name, NULL);
    }
    bed_assert_rc(mlr_below_lay(b, &l, NULL, &err), 0);
    assert_says(b, name, DIR_, MLR_BELOW_CLASH);
    mlr_listing_done(&l);
    mlr_below_free(b);
}

static void test_below__laying_can_be_cancelled(void **state)
{
    mlr_listing l = { MLR_BUF_INIT(64), true };
    mlr_below *b = BELOW(*state, "a/");
    mlr_op *op = NULL;

    list(&l.bytes, MLR_MEMBER_DIR, "b", NULL);
    bed_assert_rc(mlr_op_begin(NULL, &op, &err), 0);
    mlr_op_cancel(op);
    assert_int_equal(mlr_below_lay(b, &l, op, NULL), MLREG_ECANCELLED);
    mlr_op_end(op);
    mlr_listing_done(&l);
    mlr_below_free(b);
}

static void test_below__a_layer_that_is_not_known_hides_those_below(void **state)
{
    mlr_below *b = BELOW(*state, "a/ f l>a", "?", "c/ d/x g k>b");

    assert_says(b, "a", FILE_, MLR_BELOW_FREE);
    assert_says(b, "f/x", FILE_, MLR_BELOW_FREE);
    assert_says(b, "l", DIR_, MLR_BELOW_FREE);
    assert_says(b, "c", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "d", FILE_, MLR_BELOW_FREE);
    assert_says(b, "d/x/y", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "g/x", FILE_, MLR_BELOW_CLASH);
    assert_says(b, "k/x", FILE_, MLR_BELOW_FREE);
    mlr_below_free(b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_below__tells_folders_from_all_else),
        TEST(test_below__later_layers_replace_and_remove),
        TEST(test_below__what_a_layer_has_itself_it_does_not_remove),
        TEST(test_below__what_comes_back_comes_back_empty),
        TEST(test_below__links_lead_within_it),
        TEST(test_below__folders_that_a_link_leads_to_are_made_on_the_way),
        TEST(test_below__links_without_end_one_after_another_end_as_well),
        TEST(test_below__a_link_longer_than_any_system_makes_leads_nowhere),
        TEST(test_below__names_that_one_hash_cannot_tell_apart_take_no_longer),
        TEST(test_below__laying_can_be_cancelled),
        TEST(test_below__a_layer_that_is_not_known_hides_those_below),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
