// inkstone VERB [options]: finds the verb, runs it, turns errors into one line and a status.
//
// Status 0: done; 1: the work failed; 2: wrong usage; 130 or 143: a training that a signal stopped
// behind a checkpoint. Results go to stdout, everything else to stderr.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <new>

#include "cli/lines.h"
#include "cli/processes.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "tensor/keys.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace ink::cli {
namespace {

constexpr std::array kVerbs = {
    Verb{"info", "shows a model: sizes, parameters and bytes of each part", declare_info},
    Verb{"vocab", "builds a WordPiece vocabulary from text", declare_vocab},
    Verb{"dictionary", "counts the words of a list in text: a dictionary for the segmenter",
         declare_dictionary},
    Verb{"vectors", "trains word vectors on text and finds each word's nearest", declare_vectors},
    Verb{"tokenize", "turns lines of text into tokens", declare_tokenize},
    Verb{"segment", "cuts lines of Chinese text into words", declare_segment},
    Verb{"word-order", "makes data for word-order correction from text", declare_word_order},
    Verb{"corrupt", "shows what a pre-training objective does to text", declare_corrupt},
    Verb{"pretrain", "pre-trains a model on text", declare_pretrain},
    Verb{"finetune", "fine-tunes a model on labelled text", declare_finetune},
    Verb{"evaluate", "measures a fine-tuned model on labelled text", declare_evaluate},
    Verb{"predict", "labels lines of text", declare_predict},
    Verb{"embed", "turns lines of text into vectors", declare_embed},
    Verb{"distill", "trains a small student to imitate a teacher", declare_distill},
    Verb{"prune", "removes heads and FFN neurons, or the tokens that texts do not need",
         declare_prune},
    Verb{"convert", "writes a model folder in another form", declare_convert},
    Verb{"study", "compares variants of pre-training on tasks, over seeds", declare_study},
    Verb{"report", "writes one HTML page about finished runs", declare_report},
};

#if INK_CUDA
constexpr const char* kDevices = "cpu, cuda";
#else
constexpr const char* kDevices = "cpu (this build has no CUDA: make CUDA=1)";
#endif

void print_usage() {
  std::printf("inkstone %s: pre-trains, fine-tunes, distils and prunes BERT-family models\n\n",
              INK_VERSION);
  std::printf(
      "usage: inkstone VERB [options]        inkstone VERB --help explains every option\n\n");
  for (const Verb& v : kVerbs) std::printf("  %-12s%s\n", v.name, v.summary);
  std::printf("\nprocessor: %s kernels (INK_SIMD=portable|avx2|avx512 overrides)\n",
              simd::name_of(simd::level()));
  std::printf("devices:   %s\n", kDevices);
}

const Verb& find_verb(const std::string& name) {
  const auto found = std::ranges::find(kVerbs, name, &Verb::name);
  if (found != kVerbs.end()) return *found;
  std::vector<std::string> names;
  std::ranges::transform(kVerbs, std::back_inserter(names), &Verb::name);
  throw UsageError(in_quotes(name) + " is no verb" + suggestion(name, names) +
                   " (see inkstone --help)");
}

// The message behind the verb it is about, where it does not begin with that word itself.
std::string with_verb(const std::vector<std::string>& arguments, const std::string& message) {
  if (arguments.empty() || std::ranges::find(kVerbs, arguments[0], &Verb::name) == kVerbs.end())
    return message;
  const std::string verb = arguments[0] + ": ";
  return message.starts_with(verb) ? message : verb + message;
}

// Other verbs would do all of their work in every process, and write the same files.
void check_alone(const Verb& verb) {
  const auto launch = launched_by_mpi();
  if (launch && launch->size > 1 && std::string(verb.name) != "pretrain")
    throw UsageError("mpirun has started " + std::to_string(launch->size) +
                     " processes, among which only pretrain shares its work; start one, without "
                     "mpirun");
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 2 && arguments[0] == "help") return run({arguments[1], "--help"});
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" ||
      arguments[0] == "help") {
    print_usage();
    flush_output();
    return arguments.empty() ? 2 : 0;
  }
  if (arguments[0] == "--version") {
    std::printf("inkstone %s\n", INK_VERSION);
    flush_output();
    return 0;
  }
  const Verb& verb = find_verb(arguments[0]);
  check_alone(verb);
  take_own_device();
  Command command(verb.name, verb.summary);
  const Action action = verb.declare(command);
  if (command.parse({arguments.begin() + 1, arguments.end()})) {
    Json result = action();
    if (command.json) write_line(result.set("threads", threads()).to_string());
  }
  flush_output();
  return command.status;
}

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

}  // namespace ink::cli

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::signal(SIGPIPE, SIG_IGN);  // a training goes on when nobody watches it any more
#ifdef SIGXFSZ
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit becomes an error message
#endif
  const auto say = [&](const std::string& message, int status = 1) {
    ink::cli::say_and_end(ink::cli::with_verb(arguments, message), status);
  };
  try {
    return ink::cli::run(arguments);
  } catch (const ink::cli::ClosedOutput&) {
    std::signal(SIGPIPE, SIG_DFL);  // ends as every filter does
    std::raise(SIGPIPE);
  } catch (const ink::cli::UsageError& error) {
    say(error.what(), 2);
    return 2;
  } catch (const ink::Error& error) {
    const int status = ink::cli::interrupted ? ink::cli::stopped_status() : 1;
    say(error.message(), status);
    return status;
  } catch (const std::bad_alloc&) {
    say("out of memory; use a smaller batch");
  } catch (const std::exception& error) {
    say(error.what());
  }
  return 1;
}
