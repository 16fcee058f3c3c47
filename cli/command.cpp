// Reading a verb's options from the command line, with CLI11, and from a JSON file.
#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "cli/format.h"
#include "nn/place.h"
#include "tensor/file.h"
#include "tensor/keys.h"
#include "tensor/parallel.h"

namespace ink::cli {
namespace {

constexpr size_t kMargin = 26, kWidth = 100;  // columns of --help: where explanations begin and end
constexpr int kMostWords = 1 << 20;           // of a list

// `text` in lines short enough to stand from kMargin to kWidth.
std::string wrapped(std::string text) {
  size_t line = 0, space = std::string::npos;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != ' ') continue;
    if (i - line > kWidth - kMargin && space != std::string::npos) {
      text[space] = '\n';
      line = space + 1;
    }
    space = i;
  }
  return text;
}

// What an option does with its words; `place` says where they stand.
using Words = std::vector<std::string>;
using Setter = std::function<void(const Words& words, const std::string& place)>;

// The setter of an option of one word.
template <class F>
Setter one(F set) {
  return [set = std::move(set)](const Words& words, const std::string& place) {
    if (words.size() != 1)
      throw UsageError(place + ": expected one value, got " + std::to_string(words.size()));
    set(words[0], place);
  };
}

Json json_of(const std::vector<std::string>& list) {
  Json all = Json::make_array();
  for (const std::string& word : list) all.append(word);
  return all;
}
template <class T>
Json json_of(const T& value) {
  return value;
}

struct Entry {
  CLI::Option* option;
  Setter set;
  std::function<Json()> value = {};
  bool given = false;

  std::string name() const { return option->get_name(); }        // --max-length
  std::string key() const { return option->get_single_name(); }  // max-length
  bool many() const { return option->get_expected_max() > 1; }
};

}  // namespace

struct Command::Parser {
  CLI::App app;
  std::string section = "Options";
  std::vector<Entry> entries;

  void add(CLI::Option* option, const std::string& type, const std::string& help, Setter set) {
    option->group(section)->option_text(type)->description(wrapped(help));
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);  // read_line() judges
    entries.push_back({option, std::move(set)});
  }
  void add(const std::string& name, const std::string& type, const std::string& standard,
           const std::string& help, Setter set) {
    const std::string shown = standard.empty() ? "" : " (default " + standard + ")";
    add(app.add_option(name), type, help + shown, std::move(set));
  }
  // The option added last has its value there.
  template <class T>
  void keeps(const T& target) {
    entries.back().value = [&target] { return json_of(target); };
  }

  const Entry* find(const std::string& name) const;
  std::vector<std::string> names(std::string (Entry::*)() const) const;
  std::string usage(const std::vector<std::string>& required) const;
  bool read_line(const std::string& verb, std::vector<std::string> words);
};

Command::Command(std::string name, const std::string& summary)
    : name_(std::move(name)), parser_(std::make_unique<Parser>()) {
  CLI::App& app = parser_->app;
  app.name("inkstone " + name_);
  app.description("inkstone " + name_ + ": " + summary + "\n");
  app.set_help_flag("-h,--help")->group("");
  app.allow_extras();
  const auto formatter = app.get_formatter();
  formatter->column_width(kMargin);
  formatter->label("Usage", "usage");
  formatter->label("OPTIONS", "options");
}

Command::~Command() = default;

void Command::option(const std::string& name, int64_t& target, const std::string& help,
                     const WholeRange& range) {
  parser_->add(name, "N", std::to_string(target), help,
               one([&target, range](const std::string& word, const std::string& place) {
                 target = whole_from(word, range, place);
               }));
  parser_->keeps(target);
}

void Command::option(const std::string& name, double& target, const std::string& help,
                     const RealRange& range) {
  parser_->add(name, "REAL", formatted("%g", target), help,
               one([&target, range](const std::string& word, const std::string& place) {
                 target = real_from(word, range, place);
               }));
  parser_->keeps(target);
}

void Command::text(const std::string& name, std::string& target, const std::string& help) {
  parser_->add(name, "TEXT", target, help,
               one([&target](const std::string& word, const std::string&) { target = word; }));
  parser_->keeps(target);
}

void Command::path(const std::string& name, std::string& target, const std::string& help) {
  text(name, target, help);
  parser_->entries.back().option->option_text("PATH");
}

void Command::list(const std::string& name, std::vector<std::string>& target,
                   const std::string& help, const std::string& type) {
  parser_->add(parser_->app.add_option(name)->expected(1, kMostWords), type + "...", help,
               [&target](const Words& words, const std::string& place) {
                 if (words.empty())
                   throw UsageError(place + ": expected at least one value, got none");
                 target = words;
               });
  parser_->keeps(target);
}

void Command::choice(const std::string& name, std::string& target,
                     const std::vector<std::string>& known, const std::string& help,
                     const Hint& hint) {
  parser_->add(name, CLI::detail::join(known, "|"), target, help,
               one([&target, known, hint](const std::string& word, const std::string& place) {
                 check_choice(word, known, place, word == hint.word ? hint.text : "");
                 target = word;
               }));
  parser_->keeps(target);
}

void Command::flag(const std::string& name, bool& target, const std::string& help) {
  parser_->add(parser_->app.add_flag(name), "", help,
               one([&target](const std::string& word, const std::string& place) {
                 target = truth_from(word, place);
               }));
  parser_->keeps(target);
}

void Command::require(const std::string& name) { required_.push_back(name); }

void Command::own_keys(const std::vector<std::string>& keys) { own_keys_ = keys; }

void Command::reads_lines() { describe("Reads lines from standard input.\n"); }

void Command::describe(const std::string& lines) {
  CLI::App& app = parser_->app;
  app.description(app.get_description() + lines);
}

void Command::section(const std::string& title) { parser_->section = title; }

// ── reading ─────────────────────────────────────────────────────────────────────────────────────

const Entry* Command::Parser::find(const std::string& name) const {
  const auto found = std::ranges::find(entries, name, &Entry::name);
  return found == entries.end() ? nullptr : &*found;
}

std::vector<std::string> Command::Parser::names(std::string (Entry::*name)() const) const {
  std::vector<std::string> all;
  for (const Entry& entry : entries) all.push_back((entry.*name)());
  return all;
}

// "usage: inkstone vocab --text PATH... [options]"
std::string Command::Parser::usage(const std::vector<std::string>& required) const {
  std::string line = "usage: " + app.get_name();
  for (const std::string& name : required) {
    const Entry& entry = *find(name);
    const bool by_position = !name.starts_with("--");
    line += ' ' + name + (by_position ? "" : ' ' + entry.option->get_option_text());
  }
  return line + " [options]";
}

bool Command::given(const std::string& name) const {
  const Entry* entry = parser_->find(name);
  return entry && entry->given;
}

namespace {

[[noreturn]] void fail_without_value(const std::string& name) {
  throw UsageError(name + ": expected a value behind it, got none");
}

void set_from_line(Entry& entry) {
  const Words& words = entry.option->results();
  if (words.empty()) return;
  if (words[0].starts_with("--")) fail_without_value(entry.name());
  if (words.size() > 1 && !entry.many())
    throw UsageError(entry.name() + ": expected once, got twice");
  entry.set(words, entry.name());
  entry.given = true;
}

}  // namespace

// False when help was asked for.
bool Command::Parser::read_line(const std::string& verb, std::vector<std::string> words) {
  std::ranges::reverse(words);  // as CLI11 wants them
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    return false;
  } catch (const CLI::ArgumentMismatch& error) {  // "--text: 1 required …"
    const std::string text = error.what();
    fail_without_value(text.substr(0, text.find(':')));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  for (Entry& entry : entries) set_from_line(entry);
  Words unknown = app.remaining();
  std::erase(unknown, "--");
  if (!unknown.empty())
    throw UsageError(in_quotes(unknown[0]) + " is no option of '" + verb + "'" +
                     suggestion(unknown[0], names(&Entry::name)));
  return true;
}

// Values from the file go to options that the command line left alone.
void Command::read_file_options() {
  file_ = as_usage([&] { return parse_json(read_file(config_, size_t{16} << 20), config_); });
  if (!file_.is_object())
    throw UsageError(config_ + ": expected an object of options of '" + name_ + "'");
  read(file_, config_);
}

namespace {

// "max_length" → "max-length"
std::string as_key(std::string name) {
  std::ranges::replace(name, '_', '-');
  return name;
}

}  // namespace

std::vector<std::string> Command::names() const { return parser_->names(&Entry::name); }

bool Command::knows(const std::string& key) const {
  const auto& entries = parser_->entries;
  return std::ranges::find(entries, as_key(key), &Entry::key) != entries.end();
}

void Command::read(const Json& options, const std::string& place) {
  std::set<std::string> keys;  // "max-length" and "max_length" are one
  for (const Json::Member& m : options.members()) {
    if (std::ranges::find(own_keys_, m.key) != own_keys_.end()) continue;
    const std::string key = as_key(m.key);
    const auto entry = std::ranges::find(parser_->entries, key, &Entry::key);
    if (entry == parser_->entries.end() || key == "config") {
      std::vector<std::string> known = parser_->names(&Entry::key);
      std::erase(known, "config");
      known.insert(known.end(), own_keys_.begin(), own_keys_.end());
      throw UsageError(place + ": " + in_quotes(m.key) + " is no option of '" + name_ + "'" +
                       suggestion(m.key, known));
    }
    if (!keys.insert(key).second)
      throw UsageError(place + ": " + m.key + ": expected once, got twice");
    if (entry->given) continue;
    const std::string here = place + ": " + m.key;
    entry->set(words_of(m.value, here), here);
    entry->given = true;
  }
}

void Command::check_complete() const {
  for (const std::string& needed : required_) {
    if (!given(needed))
      throw UsageError("expected " + needed + " (see inkstone " + name_ + " --help)");
  }
  for (const std::function<void()>& check : checks_) check();
}

void Command::choose_place() const {
  if (!computes_on_devices_ && device_ != "cpu")
    throw UsageError("--device: expected cpu, on which alone " + name_ + " runs, got '" + device_ +
                     "'");
  const bool on_cpu = device_ == "cpu", int8 = dtype_ == "int8";
  if (on_cpu && !int8 && dtype_ != "f32")
    throw UsageError("--dtype: expected f32" + std::string(infers_ ? " or int8" : "") +
                     " on the CPU, got '" + dtype_ + "'");
  const Dtype rest = on_cpu ? Dtype::f32 : int8 ? Dtype::bf16 : dtype_from(dtype_);
  set_working_place({device_from(device_), rest, int8});
}

void Command::try_out() const {
  for (const std::function<void()>& trial : trials_) trial();
}

Json Command::values() const {
  Json all = Json::make_object();
  for (const Entry& entry : parser_->entries)
    if (entry.value) all.set(entry.key(), entry.value());
  if (sum_) all.set("comes to", sum_());
  return all;
}

bool Command::parse(const std::vector<std::string>& arguments) {
  section("Common");
  path("--config", config_, "JSON file with the same options as keys; options given here win");
  constexpr WholeRange kThreads{0, 256};
  option("--threads", threads_, "threads; 0 = one for each core", kThreads);
  option("--seed", seed, "seed of all random numbers");
  choice("--device", device_, {"cpu", "cuda"},
         computes_on_devices_ ? "what computes" : "what computes: this verb runs on the CPU alone");
  if (infers_) {
    choice(
        "--dtype", dtype_, {"f32", "f16", "bf16", "int8"},
        "of weights: f32, on cuda also f16 or bf16 (sums run in f32); int8 in the encoder's linear "
        "layers, and the rest in f32, on cuda in bf16");
  } else if (computes_on_devices_) {
    choice("--dtype", dtype_, {"f32", "f16", "bf16"}, "of weights on cuda; sums run in f32",
           {"int8", "int8 is for embed, predict and evaluate"});
  }
  flag("--json", json, "make the last line of output one JSON object with the results");
  if (!parser_->read_line(name_, arguments)) {
    std::string help = parser_->app.help();
    const size_t usage = help.find("usage: ");
    help.replace(usage, help.find('\n', usage) - usage, parser_->usage(required_));
    std::fputs(CLI::detail::find_and_replace(help, "\n\n\n", "\n\n").c_str(), stdout);
    return false;
  }
  if (!config_.empty()) read_file_options();
  check_complete();
  if (threads_ > 0) set_threads(static_cast<int>(threads_));
  choose_place();
  return true;
}

}  // namespace ink::cli
