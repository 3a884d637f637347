// Runs libFuzzer over the program's LLVMFuzzerTestOneInput and returns its exit code.
int runLibFuzzer(int argc, char **argv);

// What is allocated between the two is not looked for among leaks: values of Swift's enumerations keep their case
// in unused bits of a pointer, which LeakSanitizer then does not know for one.
void beginKeeping(void);
void endKeeping(void);
