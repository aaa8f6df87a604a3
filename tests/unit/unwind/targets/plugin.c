// A library for opens_plugin.c: calls back.
void plugin_calls(void (*callback)(void));

static volatile int sink;

void plugin_calls(void (*callback)(void)) {
  callback();
  sink = 1;
}
