/* cmd_login.c - login and logout. */
#include "cli.h"

#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static bool is_host(const char *scheme, const char *host, size_t n)
{
    const char *colon = host[0] != '[' ? memchr(host, ':', n) : NULL;

    if (n == 0 || host[0] == '.' || (colon != NULL && strspn(colon + 1, "0123456789") != (size_t)(host + n - colon) - 1))
        return false;
    return strncmp(scheme, "http://", 7) == 0 || strncmp(scheme, "https://", 8) == 0 ||
        (scheme == host && (strpbrk(host, ".:") != NULL || strncmp(host, "localhost", 10) == 0));
}

/* Any repository will do: the session is the host's. */
static int open_host(cli *c, const char *text, spot *out)
{
    const char *scheme = strstr(text, "://"), *host = scheme != NULL ? scheme + 3 : text;
    size_t n = strcspn(host, "/");
    char name[NAME_BYTES];

    if (host[n] != '\0' && host[n + 1] != '\0')
        return fail_usage("credentials belong to a whole registry: leave out what follows its host", "\"%s\" is more than a host", text);
    if (!is_host(text, host, n))
        return fail_usage("write ghcr.io, docker.io or 127.0.0.1:5000, for example", "\"%s\" is no registry's host", text);
    snprintf(name, sizeof name, "%.*s/x", (int)(host - text) + (int)n, text);
    return spot_open(c, name, SPOT_REGISTRY, out);
}

/* One line without its newline; false at the end of the input or past the room. */
static bool read_line(char *out, int room)
{
    size_t n;

    if (fgets(out, room, stdin) == NULL)
        return false;
    n = strlen(out);
    if (n > 0 && out[n - 1] == '\n')
        out[--n] = '\0';
    else if (n + 1 == (size_t)room)
        return false;
    if (n > 0 && out[n - 1] == '\r')
        out[n - 1] = '\0';
    return out[0] != '\0';
}

static struct termios shown;           /* the terminal as it was */

/* Whoever gives up at the question gets a terminal back that shows what is typed. */
static void on_interrupt(int signal_number)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &shown);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* Nothing is shown from before the question on: somebody may answer at once. */
static bool ask_hidden(const char *question, char *out, int room)
{
    struct termios hidden;
    bool ok;

    if (tcgetattr(STDIN_FILENO, &shown) < 0)
        return false;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    fprintf(stderr, "%s", question);
    ok = read_line(out, room);
    tcsetattr(STDIN_FILENO, TCSANOW, &shown);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    fprintf(stderr, "\n");
    return ok;
}

static int ask(cli *c, char *name, int name_room, char *secret, int secret_room)
{
    bool terminal = isatty(STDIN_FILENO) != 0;

    setvbuf(stdin, NULL, _IONBF, 0);   /* no second copy of the secret */
    if (c->user == NULL && (!terminal || c->password_stdin))
        return fail_usage("give -u NAME", "login needs a user, and there is no terminal to ask on");
    if (c->user == NULL) {
        fprintf(stderr, "User: ");
        if (!read_line(name, name_room))
            return fail_usage(NULL, "no user was given");
    } else {
        snprintf(name, (size_t)name_room, "%s", c->user);
    }
    if (!terminal && !c->password_stdin)
        return fail_usage("pipe it in and give --password-stdin", "login needs a password, and there is no terminal to ask on");
    if (c->password_stdin ? read_line(secret, secret_room) : ask_hidden("Password: ", secret, secret_room))
        return EXIT_OK;
    return fail_usage("it is one line, of at most 64 kB", "no password was given");
}

static void print_where(const cli *c, const char *what, const char *host, const mlreg_list *where)
{
    if (c->json) {
        printf("{");
        json_field("registry", host, true);
        json_field("where", mlreg_list_name(where, 0), false);
        printf("}\n");
    } else {
        printf("%s %s: ", what, host);
        print_text(mlreg_list_name(where, 0));
        printf("\n");
    }
}

int cmd_login(cli *c)
{
    static char name[1024], secret[65536];
    spot at = { 0 };
    mlreg_list *where = NULL;
    mlreg_error *err = NULL;
    int status = open_host(c, c->words[0], &at);

    if (status == EXIT_OK && (status = ask(c, name, sizeof name, secret, sizeof secret)) == EXIT_OK &&
        mlreg_session_login(at.session, name, secret, op_quiet(), &where, &err) < 0)
        status = fail(err, mlreg_error_code(err) == MLREG_EAUTH ? "check the name and the password; nothing was kept" : NULL, "log in to %s", c->words[0]);
    explicit_bzero(secret, sizeof secret);
    if (status == EXIT_OK)
        print_where(c, "logged in to", c->words[0], where);
    mlreg_list_free(where);
    spot_close(&at);
    return status;
}

int cmd_logout(cli *c)
{
    spot at = { 0 };
    mlreg_list *where = NULL;
    mlreg_error *err = NULL;
    int status = open_host(c, c->words[0], &at);

    if (status == EXIT_OK && mlreg_session_logout(at.session, op_quiet(), &where, &err) < 0)
        status = fail(err, NULL, "log out of %s", c->words[0]);
    if (status == EXIT_OK)
        print_where(c, "logged out of", c->words[0], where);
    mlreg_list_free(where);
    spot_close(&at);
    return status;
}
