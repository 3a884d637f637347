/* The command line. */
#include "load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

struct options options = {
  .connections = 1, .streams = 1, .names = 1, .sources = 1, .seconds = 3600,
  .pattern = "bench.example", .path = "/"};

void read_options(int count, char **words) {
  static const struct option flags[] = {
    {"port", 1, 0, 'p'},      {"authority-port", 1, 0, 'a'}, {"connect", 0, 0, 'c'},
    {"http2", 0, 0, '2'},     {"close", 0, 0, 'x'},          {"resume", 0, 0, 'r'},
    {"idle", 0, 0, 'i'},      {"connections", 1, 0, 'n'},    {"streams", 1, 0, 's'},
    {"requests", 1, 0, 'q'},  {"seconds", 1, 0, 't'},        {"names", 1, 0, 'm'},
    {"first-name", 1, 0, 'f'}, {"pattern", 1, 0, 'e'},       {"path", 1, 0, 'u'},
    {"ca", 1, 0, 'k'},        {"expect", 1, 0, 'b'},         {"length", 1, 0, 'l'},
    {"upload", 1, 0, 'o'},    {"sources", 1, 0, 'w'},    {"think", 1, 0, 'z'},
    {"resets", 1, 0, 'y'},    {"steady", 0, 0, 'd'},     {0, 0, 0, 0}};
  int flag;
  while ((flag = getopt_long(count, words, "", flags, NULL)) != -1) {
    switch (flag) {
      case 'p': options.port = atoi(optarg); break;
      case 'a': options.authority_port = atoi(optarg); break;
      case 'c': options.connects = true; break;
      case '2': options.is_http2 = true; break;
      case 'x': options.closes = true; break;
      case 'r': options.resumes = true; break;
      case 'i': options.idles = true; break;
      case 'n': options.connections = atol(optarg); break;
      case 's': options.streams = atol(optarg); break;
      case 'q': options.requests = atol(optarg); break;
      case 't': options.seconds = atof(optarg); break;
      case 'm': options.names = atol(optarg); break;
      case 'f': options.first_name = atol(optarg); break;
      case 'e': options.pattern = optarg; break;
      case 'u': options.path = optarg; break;
      case 'k': options.authority_file = optarg; break;
      case 'b': options.expected_file = optarg; break;
      case 'l': options.length = strtoull(optarg, NULL, 10); break;
      case 'o': options.upload = strtoull(optarg, NULL, 10); break;
      case 'w': options.sources = atol(optarg); break;
      case 'z': options.think = atof(optarg) / 1000; break;
      case 'y': options.resets = atol(optarg); break;
      case 'd': options.is_steady = true; break;
      default: exit(2);
    }
  }
  if (options.port == 0 || options.authority_file == NULL || options.expected_file == NULL) {
    fprintf(stderr, "load: --port, --ca and --expect are needed\n");
    exit(2);
  }
}
