/* What every number means, in a sentence or two. Shown on hover and on focus. */
import { isClassification } from "./store.js";

export const DEFINITIONS = {
    live: "How long ago the newest figures came. They come once a second.",
    clock: "The events' own clock, and how many of its seconds pass in one of ours.",
    "in-progress": "Requests whose true answer has not come yet.",
    completed: "True answers that came, a minute: the rate of the last 5 seconds times 60.",
    lag: "From a request's arrival on the bus until its prediction was made, over the last 10 seconds: " +
        "half of the requests took at most p50, 95 % at most p95, 99 % at most p99.",
    waiting: "Requests with a true answer that have not been joined to their prediction yet.",
    "dead-letters": "Messages that could not be read. They are counted, kept and shown; they stop nothing.",
    audit: "Whether the ledger balances: every message that was read is accounted for exactly once.",
    mae: "Mean absolute error: how far predictions were off on average, over the newest labelled " +
        "requests, each with the prediction that was served.",
    skill: "1 − MAE / the baseline's MAE. 0 is as good as the baseline, 100 % is perfect, below 0 is worse than it.",
    baseline: "The model to beat: it predicts the mean of all labels so far.",
    interval: "The 95 % interval of the mean absolute error: when two models' intervals overlap, neither is called best.",
    change: "MAE now against a fifth of the chosen range ago.",
    version: "The version that is published: its generation, and how many rows it had learned. The bar fills " +
        "until the next is due.",
    age: "Since this version was published.",
    learned: "Rows that this model has learned from.",
    bytes: "The size of the stored model.",
    rmse: "Root of the mean squared error, over the same requests: large errors weigh more.",
    bias: "Mean of prediction − truth over the same requests: above 0 it predicts too much.",
    coverage: "How many of the newest true answers lay in the interval that was predicted for them.",
    expected: "The interval in which the model expects the true answer, by its errors on the newest ones.",
    throughput: "Messages a second of each stage, from the services' own counts; exact even when this page " +
        "looks at a sample.",
    errors: "How often the prediction was off by how much, with its sign: right of 0 too high, left too low. " +
        "The outer bins hold everything beyond.",
    hour: "MAE by the hour of day of the request. Whiskers: 95 % interval. Hollow: fewer than 30 requests.",
    weekday: "MAE by the weekday of the request. Whiskers: 95 % interval. Hollow: fewer than 30 requests.",
    label: "MAE by the true answer, in ten equal parts (deciles). Whiskers: 95 % interval.",
    feature: "MAE by the value of this feature. Whiskers: 95 % interval. Hollow: fewer than 30 requests.",
    cohorts: "By the minute in which they were predicted: how many have their true answer by now (bars), and the " +
        "MAE over those. Small answers come back first, so a young cohort looks better than it will be.",
    map: "Estimated positions: on the straight line, at elapsed / predicted. Rings: requests that just ended.",
    sampled: "The part of the messages that this page looked at. Counts and rates are exact all the same.",
    size: "How large the request is, by the feature that the task file names.",
    truth: "The true answer.",
    error: "Prediction − truth, of the best model.",
    psi: "Population stability index: how far a feature's distribution now is from the reference. Over 0.2 is drift.",
    ks: "Kolmogorov–Smirnov distance: the largest gap between the two cumulative distributions. Over 0.1 is drift.",
    skew: "Features as served against features as learned, of the same requests. They must not differ.",
    memory: "Resident memory of the process.",
    backlog: "Requests on the bus that the views have not read yet.",
    alarms: "Drift alarms of the models' errors.",
    published: "Unclipped prediction: the base and all contributions add up to it.",
    "mae-all": "MAE over all rows, each predicted just before it was learned.",
    "mae-window": "MAE over the newest rows, each predicted just before it was learned.",
    "mae-served": "MAE of the predictions as they were served.",
    log_loss: "Log loss: the mean of −ln of the probability that was given to what came true, over the newest " +
        "labelled requests, each with the prediction that was served. 0 is perfect; being sure and wrong costs most.",
    "log_loss-all": "Log loss over all rows, each predicted just before it was learned.",
    "log_loss-window": "Log loss over the newest rows, each predicted just before it was learned.",
    "log_loss-served": "Log loss of the predictions as they were served.",
    pr_auc: "The area under the curve of precision over recall, all thresholds tried, over the same requests. 100 % " +
        "ranks every positive one above all others; ranking by chance gives the share of positives, which is " +
        "about where the baseline lies.",
    recall: "Of the positive ones, the part that was predicted at or above the threshold: the part that was caught.",
    precision: "Of those that were predicted at or above the threshold, the part that is positive.",
    alerts: "How many were predicted at or above the threshold, of the same requests.",
    probability: "The probability of the positive label that each model gave, as a dot; the best model's is the " +
        "larger one. The dashed rule is the threshold of the task file: at or above it is an alert. The square is " +
        "what came true: filled at 1 a positive one, hollow at 0 another.",
    outcome: "By the best model and the threshold: caught (an alert, and positive), false alarm (an alert, and not), " +
        "missed (positive, and no alert), quiet (neither).",
    scores: "How often which probability was given: of the positive ones (filled), and of the others (the dashed " +
        "line); each adds up to 100 %. The further apart, the better told apart. The upright rule is the threshold.",
    reliability: "Of the requests that were given about this probability, the part that is positive. On the diagonal " +
        "a probability means what it says; below it a model is too sure, above it not sure enough.",
};

/* The same words where predictions are probabilities. */
const OF_PROBABILITIES = {
    skill: "1 − log loss / the baseline's log loss. 0 is as good as the baseline, 100 % is perfect, below 0 is worse than it.",
    baseline: "The model to beat: it always says how often a positive one has happened so far.",
    interval: "The 95 % interval of the mean log loss: when two models' intervals overlap, neither is called best.",
    change: "Log loss now against a fifth of the chosen range ago.",
    hour: "By the hour of day of the request. Whiskers: 95 % interval. Hollow: fewer than 30 requests.",
    weekday: "By the weekday of the request. Whiskers: 95 % interval. Hollow: fewer than 30 requests.",
    feature: "By the value of this feature. Whiskers: 95 % interval. Hollow: fewer than 30 requests.",
    cohorts: "By the minute in which they were predicted: how many have their true answer by now (bars), and the " +
        "log loss over those. One kind of answer may come back first, so a young cohort can look better, or worse, " +
        "than it will be.",
    truth: "The true answer: filled where it is the positive label.",
    published: "The base and all contributions add up to its log odds, ln(p / (1 − p)).",
};

/* Of a key; undefined where there is none. */
export function definition(key) {
    return (isClassification() && OF_PROBABILITIES[key]) || DEFINITIONS[key];
}
