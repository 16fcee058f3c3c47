// BERT (Devlin et al. 2019), and by its names BERT-wwm, RoBERTa-wwm-ext, RBT3/4/6, RBTL3, MacBERT,
// PERT, LERT and TinyBERT.
#include "nn/family.h"

namespace ink {

const Family& bert_family() {
  static const Family family{
      .model_type = "bert",
      .prefix = "bert",
      .body = "BertModel",
      .architectures = {{"BertForPreTraining", {.pooler = true, .masked_lm = true, .pair = true}},
                        {"BertForMaskedLM", {.masked_lm = true}},
                        {"BertForNextSentencePrediction", {.pooler = true, .pair = true}},
                        {"BertForSequenceClassification", {.pooler = true, .classification = true}},
                        {"BertForMultipleChoice", {.pooler = true, .choice = true}},
                        {"BertForTokenClassification", {.tagging = true}},
                        {"BertForQuestionAnswering", {.span = true}},
                        {"BertForPerLM", {.position = true}}},
      .pooler = "pooler.dense",
  };
  return family;
}

}  // namespace ink
