// Command: the options of one verb, declared once; from the command line or from --config FILE.
//
// FILE is an object with the same options as keys; a flag on the command line wins over it. Every
// value is read strictly, and an error names the place (the option, or file and key), what was
// expected and what was found. Unknown options and keys are errors that name the nearest known one.
// Every verb also has --config, --threads, --seed, --device and --json. CLI11 takes the command
// line apart and writes --help; its header stays inside command.cpp.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/values.h"
#include "tensor/json.h"

namespace ink::cli {

class Command {
 public:
  Command(std::string name, const std::string& summary);
  ~Command();
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
  struct Hint {  // what to say to who gives this word, which is none of the known
    std::string word, text;
  };
  void choice(const std::string& name, std::string& target, const std::vector<std::string>& known,
              const std::string& help, const Hint& hint = {});
  void flag(const std::string& name, bool& target, const std::string& help);
  void require(const std::string& name);  // the option must be given, here or in the file
  // Keys of the file that the verb reads itself, from file().
  void own_keys(const std::vector<std::string>& keys);
  void reads_lines();                       // says in --help that the verb reads standard input
  void describe(const std::string& lines);  // says these in --help, above the options
  // The verb computes with models wherever --device says, in the type that --dtype says; other
  // verbs refuse any device but the CPU.
  void computes_on_devices() { computes_on_devices_ = true; }
  // The same for a verb that only uses a model, which may then be in int8 too.
  void infers_on_devices() { computes_on_devices_ = infers_ = true; }
  // What the verb refuses once all options are known, before it reads or writes anything.
  void refuses(std::function<void()> check) { checks_.push_back(std::move(check)); }
  // What it refuses once it has looked at the small files that options name, which try_out() asks
  // before the work itself would: a verb that runs others finds their mistakes at its start.
  void tries(std::function<void()> check) { trials_.push_back(std::move(check)); }
  // A heading in --help for the options that follow.
  void section(const std::string& title);

  // False when only help was asked for (and printed to stdout). Raises UsageError.
  bool parse(const std::vector<std::string>& arguments);

  // Options from the members of an object instead, for verbs that run others (`inkstone study`);
  // what was given before wins, and `place` begins the messages. check_complete() comes last.
  void read(const Json& options, const std::string& place);
  void check_complete() const;
  void try_out() const;
  // All options with their values, those that were left alone too, in the order of --help; then
  // what they come to together, where the verb says so. However options were written down, the
  // same ones give the same object.
  Json values() const;
  void comes_to(std::function<Json()> sum) { sum_ = std::move(sum); }
  std::vector<std::string> names() const;    // of the options declared so far
  bool knows(const std::string& key) const;  // whether an option has this key in a file

  const std::string& name() const { return name_; }
  bool given(const std::string& name) const;  // on the command line or in the file
  const Json& file() const { return file_; }  // of --config; null without it

  // Common to all verbs.
  int64_t seed = 1;
  bool json = false;
  int status = 0;  // of the process, once the action has returned its results

 private:
  struct Parser;  // CLI11's, with what each option does with its words
  void read_file_options();
  void choose_place() const;

  std::string name_;
  std::unique_ptr<Parser> parser_;
  std::vector<std::string> required_, own_keys_;
  std::vector<std::function<void()>> checks_, trials_;
  std::function<Json()> sum_;
  std::string config_;
  int64_t threads_ = 0;
  std::string device_ = "cpu", dtype_ = "f32";
  bool computes_on_devices_ = false, infers_ = false;
  Json file_;
};

}  // namespace ink::cli
