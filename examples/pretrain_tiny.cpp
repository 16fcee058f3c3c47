// From text to a pre-trained model: vocabulary → whole-word masking → tiny BERT, in C++ alone.
//
//   build/examples/pretrain_tiny TEXT OUT [STEPS]
//
// TEXT is a file or a folder of *.txt, a sentence or paragraph a line, blank lines between
// documents. OUT becomes a model folder that inkstone and transformers (BertForMaskedLM) load.
// Ctrl-C stops it; started again it goes on where it was.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "objectives/pretrain.h"
#include "text/vocabulary_builder.h"

namespace {

std::atomic<bool> stop = false;

// Words from jieba's dictionary where it is installed (Debian: python3-jieba); else every character
// is a word.
std::optional<ink::Segmenter> find_segmenter() {
  try {
    return ink::Segmenter::load();
  } catch (const ink::Error& error) {
    std::fprintf(stderr, "without word boundaries: %s\n", error.message().c_str());
    return std::nullopt;
  }
}

ink::ModelConfig tiny_config(int64_t vocabulary) {
  ink::ModelConfig config;
  config.vocab_size = vocabulary;
  config.hidden_size = 128;
  config.head_size = 64;
  config.max_position_embeddings = 128;
  config.set_layers(/*layers=*/2, /*heads=*/2, /*ffn=*/512);
  return config;
}

void run(const char* text, const char* out, int64_t steps) {
  const ink::Corpus corpus = ink::Corpus::open({text});
  const ink::Tokenizer tokenizer(ink::build_vocabulary(corpus, {.size = 8000}));
  const std::optional<ink::Segmenter> segmenter = find_segmenter();

  const ink::PretrainOptions options{.corpus = {text},
                                     .out = out,
                                     .batch_tokens = 1024,
                                     .steps = steps,
                                     .learning_rate = 1e-3,
                                     .evaluate_every = 200,
                                     .checkpoint_every = 200,
                                     .resume = true,
                                     .stop = &stop};
  ink::PretrainCallbacks callbacks;
  callbacks.notice = [](const std::string& s) { std::fprintf(stderr, "%s\n", s.c_str()); };
  callbacks.progress = [](const ink::Progress& p) {
    if (p.step % 10 > 0) return;
    std::fprintf(stderr, "step %5ld of %ld  loss %.3f  %.0f tokens/s  %.0f s left\n", p.step,
                 p.steps, p.loss, p.tokens_per_second, p.seconds_left);
  };
  const ink::PretrainResult result =
      ink::pretrain(tiny_config(tokenizer.vocabulary().size()), tokenizer,
                    segmenter ? &*segmenter : nullptr, options, callbacks);

  std::printf("%ld parameters, %ld steps in %.1f s, of which %.1f s waiting for data\n",
              result.parameters, result.training.step, result.training.seconds,
              result.waited_for_data);
  for (const auto& [name, value] : result.training.last.metrics) {
    std::printf("held-out %s %.4f\n", name.c_str(), value);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const long steps = count > 3 ? std::atol(arguments[3]) : 600;
  if (count < 3 || steps < 1) {
    std::fprintf(stderr, "usage: %s TEXT OUT [STEPS], steps from 1 on\n", arguments[0]);
    return 2;
  }
  std::signal(SIGINT, [](int) { stop = true; });
  try {
    run(arguments[1], arguments[2], steps);
  } catch (const ink::Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return 1;
  }
}
