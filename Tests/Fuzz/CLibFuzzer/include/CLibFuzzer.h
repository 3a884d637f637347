// Runs libFuzzer over the program's LLVMFuzzerTestOneInput and returns its exit code.
int runLibFuzzer(int argc, char **argv);
