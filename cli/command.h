// Command: one verb's options, declared once; they come from the command line or from --config
// FILE.json.
//
// A flag wins over the file. Unknown options and keys are errors that name the nearest known one.
// Every verb also has --config, --threads, --seed, --device and --json. (CLI11 does the parsing;
// its header stays inside command.cpp.)
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tensor/json.h"

namespace ink::cli {

// A wrong use of the program: the process ends with status 2 instead of 1.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Command {
 public:
  Command(std::string name, std::string summary);
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // The current value of `target` is the default and is shown by --help.
  void option(const std::string& name, std::string& target, const std::string& help);
  void option(const std::string& name, int64_t& target, const std::string& help);
  void option(const std::string& name, double& target, const std::string& help);
  void option(const std::string& name, std::vector<std::string>& target, const std::string& help);
  void flag(const std::string& name, bool& target, const std::string& help);
  void require(const std::string& name);  // the option must be given, here or in the file
  // Gives --config a meaning of the verb's own: `target` is a file that the verb reads itself.
  void own_config(std::string& target, const std::string& help);
  // A heading in --help for the options that follow.
  void section(const std::string& title);

  // False when only help was asked for (and printed to stdout). Raises UsageError.
  bool parse(const std::vector<std::string>& arguments);

  const std::string& name() const { return name_; }
  bool given(const std::string& name) const;  // on the command line or in the file

  // Common to all verbs.
  int64_t seed = 1;
  bool json = false;
  int status = 0;  // of the process, once the action has returned its results

 private:
  struct Parser;
  std::string name_;
  std::unique_ptr<Parser> parser_;
};

// The known name nearest to `wrong` by edit distance, as "; did you mean --text?", or "" when none
// is near.
std::string suggestion(const std::string& wrong, const std::vector<std::string>& known);

}  // namespace ink::cli
