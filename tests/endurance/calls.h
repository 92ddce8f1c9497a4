/* endurance/calls.h - what the files of the program calls share: the faults, and the verbs that meet them. */
#ifndef MLR_ENDURANCE_CALLS_H
#define MLR_ENDURANCE_CALLS_H
#include <mlreg.h>
#include <stdbool.h>

/* ---- calls_faults.c ---- */

typedef struct fault {
    const char *name;
    int errnum;                   /* of file calls; 0: an allocation that fails; SHORT: a read or write that does half of it */
    int code;                     /* what a verb that is refused for it says, besides MLREG_EIO; 0: nothing, it must not be refused */
} fault;
enum { FAULT_SHORT = -1 };
extern const fault faults[];
extern const unsigned n_faults;

void faults_install(void);        /* once, before anything of the library runs */
void fault_arm(const fault *f, unsigned nth, bool for_good);    /* nth 0: only counts */
unsigned fault_disarm(unsigned *fired);                        /* how many calls there were that it fits */
const char *fault_where(void);    /* the last call that failed, for messages */
long blocks_in_use(void);         /* of memory, by the library */
int  files_in_use(void);

/* ---- calls_verbs.c ---- */

/* Where one try happens. */
typedef struct ground {
    const char *registry;         /* "http://127.0.0.1:5000" */
    const char *shared;           /* a directory with the models that all tries use */
    char dir[128];                /* its own, fresh */
    unsigned number;              /* for names in the registry that nobody used before */
} ground;
typedef struct verb {
    const char *name;
    void (*prepare)(ground *g);
    int  (*act)(ground *g, mlreg_error **err);
    void (*check)(ground *g);     /* once it went well */
} verb;
extern const verb verbs[];
extern const unsigned n_verbs;

void verbs_begin(const char *registry, const char *shared);     /* makes the models, fills the registry */
void verbs_check_store(ground *g);                              /* it is sound, and the tag that was there before is as it was */
void verbs_check_swept(ground *g);                              /* after a collection nothing is left of what failed */

/* ---- calls.c ---- */

/* Ends the program: "BROKEN: <which try>: <what>". */
void broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#endif
