/*
 * A module for OpenIPMI's ipmi_sim: chassis control in memory.
 *
 * The simulator runs a script for each question about the power; a thousand BMCs that are asked once a second would
 * keep the machine busy with that alone. With this module, the command "chassis_in_memory MC" in the command file
 * gives a management controller a power state of its own that starts as on.
 *
 *   cc -shared -fPIC -O2 -o chassis.so chassis.c
 */
#include <stdlib.h>

/* What the simulator calls the parts of a chassis. */
enum { POWER = 0, RESET = 1, BOOT = 2, SHUTDOWN = 4 };

struct chassis {
    unsigned char power;
    unsigned char boot;
};

typedef int (*access_function)(void *mc, int part, unsigned char *value, void *chassis);
typedef int (*command_function)(void *out, void *emulator, void *mc, char **words);

extern void ipmi_mc_set_chassis_control_func(void *mc, access_function set, access_function get, void *chassis);
extern int ipmi_emu_add_cmd(const char *name, unsigned int flags, command_function run);

/* The command names a management controller. */
enum { NEEDS_MC = 1 };

static int set(void *mc, int part, unsigned char *value, void *data)
{
    struct chassis *chassis = data;

    (void) mc;
    switch (part) {
    case POWER:
        chassis->power = *value;
        break;
    case RESET:
        chassis->power = 1;
        break;
    case BOOT:
        chassis->boot = *value;
        break;
    case SHUTDOWN:
        chassis->power = 0;
        break;
    }
    return 0;
}

static int get(void *mc, int part, unsigned char *value, void *data)
{
    const struct chassis *chassis = data;

    (void) mc;
    switch (part) {
    case POWER:
        *value = chassis->power;
        break;
    case BOOT:
        *value = chassis->boot;
        break;
    default:
        *value = 0;
        break;
    }
    return 0;
}

/* The chassis lives as long as the simulator. */
static int add(void *out, void *emulator, void *mc, char **words)
{
    struct chassis *chassis = calloc(1, sizeof(*chassis));

    (void) out;
    (void) emulator;
    (void) words;
    if (!chassis)
        return -1;
    chassis->power = 1;
    ipmi_mc_set_chassis_control_func(mc, set, get, chassis);
    return 0;
}

int ipmi_sim_module_print_version(void *simulator, const char *options)
{
    (void) simulator;
    (void) options;
    return 0;
}

int ipmi_sim_module_init(void *simulator, const char *options)
{
    (void) simulator;
    (void) options;
    return ipmi_emu_add_cmd("chassis_in_memory", NEEDS_MC, add);
}
