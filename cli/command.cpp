// Parsing of a verb's options with CLI11, and of the same options from a JSON file.
#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>
#include <set>

#include "tensor/file.h"
#include "tensor/parallel.h"

namespace ink::cli {
namespace {

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

// The words that a JSON value stands for on the command line.
std::vector<std::string> words_of(const Json& value, const std::string& place) {
  std::vector<std::string> words;
  if (value.is_array()) {
    for (const Json& item : value.items()) {
      const std::vector<std::string> inner = words_of(item, place);
      words.insert(words.end(), inner.begin(), inner.end());
    }
  } else if (value.is_string()) {
    words.push_back(value.as_string());
  } else if (value.is_object() || value.is_null()) {
    throw UsageError(place + " should be a string, a number, true, false or a list of them");
  } else {
    words.push_back(value.to_string());
  }
  return words;
}

}  // namespace

std::string suggestion(const std::string& wrong, const std::vector<std::string>& known) {
  std::string best;
  size_t least = std::max<size_t>(2, wrong.size() / 3) + 1;
  for (const std::string& name : known) {
    const size_t distance = edit_distance(wrong, name);
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best.empty() ? "" : "; did you mean " + best + "?";
}

struct Command::Parser {
  CLI::App app;
  std::string section = "Options";
  std::string config, device = "cpu";
  int64_t threads = 0;
  bool config_is_own = false;
  std::set<std::string> required, in_file;

  explicit Parser(const std::string& summary) : app(summary) {}
  void place(CLI::Option* option) const { option->group(section); }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const CLI::Option* o : app.get_options()) all.push_back(o->get_name());
    return all;
  }
  void read_file_options(const std::string& verb);
};

Command::Command(std::string name, std::string summary)
    : name_(std::move(name)), parser_(std::make_unique<Parser>(summary)) {
  parser_->app.name("inkstone " + name_);
  parser_->app.get_formatter()->column_width(34);
}

Command::~Command() = default;

void Command::option(const std::string& name, std::string& target, const std::string& help) {
  parser_->place(
      parser_->app.add_option(name, target, help)->capture_default_str()->type_name("TEXT"));
}
void Command::option(const std::string& name, int64_t& target, const std::string& help) {
  parser_->place(
      parser_->app.add_option(name, target, help)->capture_default_str()->type_name("N"));
}
void Command::option(const std::string& name, double& target, const std::string& help) {
  parser_->place(
      parser_->app.add_option(name, target, help)->capture_default_str()->type_name("X"));
}
void Command::option(const std::string& name, std::vector<std::string>& target,
                     const std::string& help) {
  parser_->place(
      parser_->app.add_option(name, target, help)->capture_default_str()->type_name("TEXT …"));
}
void Command::flag(const std::string& name, bool& target, const std::string& help) {
  parser_->place(parser_->app.add_flag(name, target, help));
}
void Command::require(const std::string& name) { parser_->required.insert(name); }
void Command::own_config(std::string& target, const std::string& help) {
  option("--config", target, help);
  parser_->config_is_own = true;
}
void Command::section(const std::string& title) { parser_->section = title; }

bool Command::given(const std::string& name) const {
  return parser_->app.get_option(name)->count() > 0 || parser_->in_file.contains(name);
}

// Values from the file go to options that the command line left alone.
void Command::Parser::read_file_options(const std::string& verb) {
  const Json file = parse_json(ink::read_file(config, size_t{16} << 20), config);
  if (!file.is_object())
    throw UsageError(config + ": expected an object of options of '" + verb + "'");
  for (const Json::Member& m : file.members()) {
    std::string name = "--" + m.key;
    std::ranges::replace(name, '_', '-');
    CLI::Option* option = app.get_option_no_throw(name);
    if (!option || name == "--config" || name == "--help") {
      throw UsageError(config + ": '" + m.key + "' is no option of '" + verb + "'" +
                       suggestion(name, names()));
    }
    if (option->count() > 0) continue;
    in_file.insert(name);
    for (const std::string& word : words_of(m.value, config + ": " + m.key))
      option->add_result(word);
    option->run_callback();
  }
}

bool Command::parse(const std::vector<std::string>& arguments) {
  section("Common");
  if (!parser_->config_is_own) {
    option("--config", parser_->config,
           "JSON file with the same options as keys; options given here win");
  }
  option("--threads", parser_->threads, "threads; 0 = one for each core");
  option("--seed", seed, "seed of all random numbers");
  option("--device", parser_->device, "cpu (this build has no other)");
  flag("--json", json, "make the last line of output one JSON object with the results");
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    parser_->app.allow_extras();
    parser_->app.parse(reversed);
    const std::vector<std::string> extras = parser_->app.remaining();
    if (!extras.empty()) {
      throw UsageError("'" + extras.front() + "' is no option of '" + name_ + "'" +
                       suggestion(extras.front(), parser_->names()));
    }
    if (!parser_->config.empty()) parser_->read_file_options(name_);
  } catch (const CLI::CallForHelp&) {
    std::fputs(parser_->app.help().c_str(), stdout);
    return false;
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  for (const std::string& needed : parser_->required) {
    if (!given(needed))
      throw UsageError("expected " + needed + " (see inkstone " + name_ + " --help)");
  }
  if (parser_->device != "cpu") {
    throw UsageError("--device: expected cpu, got '" + parser_->device +
                     "'; this build has no other device");
  }
  if (parser_->threads) set_threads(static_cast<int>(parser_->threads));
  return true;
}

}  // namespace ink::cli
