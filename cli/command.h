// Command: the options of one verb, declared once; from the command line or from --config FILE.
//
// FILE is an object with the same options as keys; a flag on the command line wins over it. Every
// value is read strictly, and an error names the place (the option, or file and key), what was
// expected and what was found. Unknown options and keys are errors that name the nearest known one.
// Every verb also has --config, --threads, --seed, --device and --json.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/values.h"
#include "tensor/json.h"

namespace ink::cli {

class Command {
 public:
  Command(std::string name, std::string summary);
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Options. The current value of `target` is the default and is shown by --help. A name without
  // dashes is given by position. Targets should live as long as the command.
  void option(const std::string& name, int64_t& target, const std::string& help,
              const WholeRange& range = {});
  void option(const std::string& name, double& target, const std::string& help,
              const RealRange& range = {});
  void text(const std::string& name, std::string& target, const std::string& help);
  void path(const std::string& name, std::string& target, const std::string& help);
  void list(const std::string& name, std::vector<std::string>& target, const std::string& help,
            const std::string& type = "PATH");
  void choice(const std::string& name, std::string& target, const std::vector<std::string>& known,
              const std::string& help);
  void flag(const std::string& name, bool& target, const std::string& help);
  void require(const std::string& name);  // the option must be given, here or in the file
  // Keys of the file that the verb reads itself, from file().
  void own_keys(const std::vector<std::string>& keys);
  // A heading in --help for the options that follow.
  void section(const std::string& title) { section_ = title; }

  // False when only help was asked for (and printed to stdout). Raises UsageError.
  bool parse(const std::vector<std::string>& arguments);

  const std::string& name() const { return name_; }
  bool given(const std::string& name) const;  // on the command line or in the file
  const Json& file() const { return file_; }  // of --config; null without it

  // Common to all verbs.
  int64_t seed = 1;
  bool json = false;
  int status = 0;  // of the process, once the action has returned its results

 private:
  struct Entry {
    std::string name = {}, type = {}, standard = {}, help = {}, section = {};  // no type: a flag
    bool many = false;
    std::function<void(const std::vector<std::string>& words, const std::string& place)> set;
    bool given = false;
    std::vector<std::string> words = {};  // so far: a list may be given in several parts
    std::string key() const { return name.substr(name.find_first_not_of('-')); }
  };
  void add(Entry entry);
  Entry* find(const std::string& name);
  [[noreturn]] void fail_unknown(const std::string& place, const std::string& name) const;
  bool read_arguments(const std::vector<std::string>& arguments);
  size_t read_option(const std::vector<std::string>& arguments, size_t at);
  void read_file_options();
  std::string help() const;

  std::string name_, summary_, section_ = "Options";
  std::vector<Entry> entries_;
  std::vector<std::string> required_, own_keys_;
  std::string config_;
  int64_t threads_ = 0;
  Json file_;
};

}  // namespace ink::cli
