/* cmd_variants.c - variants and host: what an index offers, what this machine is, and why one fits the other. */
#include "cli.h"

#include <string.h>

int cmd_host(cli *c)
{
    const char *json;
    mlreg_error *err = NULL;

    (void)c;                           /* JSON is what people and schedulers pass on */
    if (mlreg_host_json(&json, &err) < 0)
        return fail(err, NULL, "look at this machine");
    printf("%s\n", json);
    return EXIT_OK;
}

int cmd_variants(cli *c)
{
    spot at;
    choice ch = { 0 };
    mlreg_list *l = NULL;
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];
    int status = spot_open(c, c->words[0], SPOT_NEEDS_ONE, &at);

    if (status == EXIT_OK && (status = choice_open(c, true, &at, &ch)) == EXIT_OK && mlreg_session_variants(at.session, at.ref, &ch.options, op_quiet(), &l, &err) < 0)
        status = fail(err, spot_hint(&at, err, hint), "list the variants of %s", at.shown);
    if (status == EXIT_OK && c->json) {
        json_variants(l);
        printf("\n");
    } else if (status == EXIT_OK) {
        print_variants(l, c->explain);
    }
    if (status == EXIT_OK && mlreg_list_count(l) == 0)
        note(c, "%s is no index: it has no variants", at.shown);
    mlreg_list_free(l);
    choice_close(&ch);
    spot_close(&at);
    return status;
}
