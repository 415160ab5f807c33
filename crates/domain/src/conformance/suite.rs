//! The list of the rules, and the macro that makes each a test.

/// Makes every rule of [`conformance`](crate::conformance) a test of the crate that calls it, named like the rule.
///
/// Three forms, by what the store needs around it:
///
/// - **A store that needs a runtime**: the test's attribute, and an expression, which may `await`, that makes a fresh and empty store.
///
///   ```text
///   conformance_suite! {
///       #[tokio::test(flavor = "multi_thread")]
///       store = fresh_store().await,
///   }
///   ```
///
/// - **A store that needs none**: a function that runs a future to its end instead of the attribute.
///
///   ```text
///   conformance_suite! {
///       block_on = futures_executor::block_on,
///       store = MemoryStore::new(),
///   }
///   ```
///
/// - **A store that needs something done afterwards**, say a database to be dropped: a function of your own, which receives the rule as
///   `impl AsyncFnOnce(YourStore)`, and does the rest.
///
///   ```text
///   fn on_a_fresh_database(rule: impl AsyncFnOnce(SqlStore)) {
///       block_on(async {
///           let database = Database::create().await;
///           rule(database.store()).await;
///           database.drop().await;
///       })
///   }
///
///   conformance_suite! { run = on_a_fresh_database }
///   ```
///
/// The last two take further attributes for each test. Expressions are evaluated once a test. Each step of the store waits once before it is
/// taken, see [`conformance`](crate::conformance#races).
#[macro_export]
macro_rules! conformance_suite {
    ($(#[$attribute:meta])* run = $run:expr $(,)?) => {
        $crate::conformance_rules! { [$crate::conformance_test] [$(#[$attribute])* run = $run] }
    };
    ($(#[$attribute:meta])* block_on = $block_on:expr, store = $store:expr $(,)?) => {
        $crate::conformance_rules! { [$crate::conformance_test] [$(#[$attribute])* block_on = $block_on, store = $store] }
    };
    ($(#[$attribute:meta])+ store = $store:expr $(,)?) => {
        $crate::conformance_rules! { [$crate::conformance_test] [$(#[$attribute])+ store = $store] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_test {
    ([$(#[$attribute:meta])* run = $run:expr] $theme:ident $rule:ident) => {
        #[test]
        $(#[$attribute])*
        fn $rule() {
            $run(async |store| {
                $crate::conformance::$theme::$rule($crate::conformance::YieldingStore::new(store)).await
            });
        }
    };
    ([$(#[$attribute:meta])* block_on = $block_on:expr, store = $store:expr] $theme:ident $rule:ident) => {
        #[test]
        $(#[$attribute])*
        fn $rule() {
            $block_on(async {
                $crate::conformance::$theme::$rule($crate::conformance::YieldingStore::new($store)).await;
            });
        }
    };
    ([$(#[$attribute:meta])+ store = $store:expr] $theme:ident $rule:ident) => {
        $(#[$attribute])+
        async fn $rule() {
            $crate::conformance::$theme::$rule($crate::conformance::YieldingStore::new($store)).await;
        }
    };
}

/// The one list of the rules: calls `callback! { arguments theme rule }` for each. A test of this crate holds it against the sources.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_rules {
    (@each $callback:tt $arguments:tt $($theme:ident { $($rule:ident,)+ })+) => {
        $($($crate::conformance_rules! { @one $callback $arguments $theme $rule })+)+
    };
    (@one [$($callback:tt)+] $arguments:tt $theme:ident $rule:ident) => {
        $($callback)+! { $arguments $theme $rule }
    };
    ($callback:tt $arguments:tt) => {
        $crate::conformance_rules! { @each $callback $arguments
            activation {
                an_activation_writes_all_that_belongs_to_it,
                racing_activations_of_a_single_use_code_have_one_winner,
                racing_activations_of_a_code_for_three_have_three_winners,
                racing_activations_with_the_next_available_code_share_none,
                racing_repeats_of_an_activation_answer_alike_and_take_one_use,
                racing_repeats_with_the_next_available_code_take_one_use,
                racing_codes_for_one_project_have_one_winner,
                a_repeated_activation_consumes_nothing,
            }
            adoption {
                an_adopted_row_is_remembered_and_not_taken_again,
                an_adoption_writes_all_that_belongs_to_it,
                racing_adoptions_have_one_winner,
                an_adopted_code_activates_by_its_old_text,
            }
            api_keys {
                an_api_key_is_read_as_it_was_written,
                an_api_key_is_found_by_any_of_its_digests,
                an_api_keys_digest_is_stored_once,
                racing_uses_of_an_api_key_are_written_once_a_while,
                racing_claims_to_audit_an_api_key_have_one_winner,
                racing_revocations_of_an_api_key_have_one_winner,
                an_api_key_that_has_ended_is_not_used,
                a_rekeyed_api_key_is_found_by_its_new_digest_alone,
            }
            at_once {
                one_step_leaves_what_the_steps_leave,
                racing_steps_of_both_kinds_share_a_codes_uses,
                racing_steps_of_both_kinds_share_no_next_code,
                racing_repeats_of_both_kinds_take_one_use,
                racing_steps_of_both_kinds_stay_within_the_quota,
                one_step_is_refused_by_all_that_refuses_the_steps,
                one_step_signs_in_once,
            }
            audit {
                an_event_is_read_as_it_was_written,
                a_page_has_the_events_of_its_tenant,
                an_event_needs_nothing_that_exists,
                those_who_act_are_named_while_they_exist,
                a_filter_finds_what_it_keeps_and_nothing_else,
                a_time_has_its_first_moment_and_not_its_last,
            }
            batches {
                a_batch_is_read_as_it_was_written,
                pages_of_batches_are_complete,
                batches_are_listed_by_tenant_and_label,
                the_codes_of_a_batch_are_counted_by_status,
                an_issue_that_is_cancelled_holds_what_it_counted,
                a_batch_never_holds_more_than_was_ordered,
                only_a_whole_batch_is_complete,
                racing_ends_of_an_issue_have_one_winner,
                a_stranger_changes_no_batch,
                a_batch_is_revoked_in_parts,
                racing_revocations_of_a_batch_revoke_each_code_once,
                a_revocation_that_races_an_issue_leaves_no_code_standing,
                a_deleted_tenant_takes_its_batches,
                racing_imports_of_the_same_codes_have_one_winner,
            }
            bootstrap {
                a_link_is_open_until_its_end,
                an_operator_closes_the_links_for_the_first,
                racing_uses_of_a_link_have_one_winner,
                racing_uses_of_several_links_make_one_operator,
                expired_links_are_deleted,
            }
            certificates {
                a_certificate_says_what_the_store_has,
                a_certificate_is_given_while_the_activation_stands_and_no_longer,
                a_certificate_is_of_one_moment,
                a_certificate_is_given_to_whom_the_project_belongs,
            }
            code_care {
                a_reissued_code_has_its_new_text_alone,
                a_code_is_reissued_while_it_is_active,
                racing_reissues_of_a_code_have_one_winner,
                an_activation_that_races_a_reissue_takes_nothing_behind_it,
                a_reissue_shows_the_text_that_the_code_has,
                a_revocation_is_answered_again_and_audited_once,
                racing_moves_of_a_codes_end_have_one_winner,
                a_code_ends_when_it_is_told_to,
                racing_returns_of_uses_stop_at_none,
                racing_uses_of_a_code_under_a_former_key_all_succeed,
            }
            code_lists {
                a_list_of_codes_has_what_its_filter_asks_for,
                a_code_of_anyone_is_read_by_its_id,
            }
            codes {
                an_issued_code_is_read_as_it_was_written,
                a_code_is_found_by_any_of_its_digests,
                a_digest_is_stored_once,
                known_digests_are_told_from_unknown_ones,
                one_call_stores_thousands_of_codes,
                racing_uses_of_a_code_succeed_as_often_as_it_may_be_used,
                racing_revocations_of_a_code_have_one_winner,
                the_next_code_expires_first_or_is_the_oldest,
                racing_callers_take_every_next_code,
                lists_and_counts_agree_on_a_codes_status,
            }
            deletion {
                a_deleted_tenant_leaves_its_audit_alone,
                a_deleted_tenant_takes_what_was_assigned_to_it,
                racing_deletions_of_a_tenant_have_one_winner,
                a_deletion_that_races_activations_leaves_nothing,
            }
            housekeeping {
                a_session_is_deleted_at_its_end_and_not_before,
                a_session_that_was_lengthened_is_not_deleted,
                a_challenge_is_deleted_by_when_it_was_made,
                an_idempotency_key_is_deleted_at_its_end_and_not_before,
                a_message_that_is_not_settled_is_never_deleted,
                a_link_is_deleted_at_its_end_and_not_before,
                a_batch_is_as_long_as_it_may_be_and_the_oldest_go_first,
                a_bucket_is_deleted_when_it_is_full_and_not_before,
                racing_batches_share_the_work,
                a_key_that_comes_to_life_while_it_is_swept_stays,
                a_bucket_that_is_taken_from_while_it_is_swept_stays,
                a_batch_is_in_nobodys_way,
                a_round_takes_what_is_over_and_leaves_what_counts,
                racing_rounds_and_a_deletion_leave_what_lives,
            }
            idempotency {
                an_answer_is_read_as_it_was_written,
                a_key_that_is_in_use_says_for_what,
                a_claimant_claims_again_what_it_has,
                racing_claims_of_a_key_have_one_winner,
                racing_claims_of_a_key_whose_lock_ran_out_have_one_winner,
                a_lock_runs_out_at_its_moment_and_not_before,
                an_overtaken_claimant_answers_nothing,
                a_key_is_answered_once,
                a_released_key_is_new,
                an_answered_key_is_not_released,
                an_expired_key_is_new_at_its_moment_and_not_before,
                keys_are_apart,
                racing_attempts_of_a_request_carry_it_out_once,
                an_overtaken_attempt_leaves_no_trace,
                a_refused_attempt_leaves_its_audit_and_a_free_key,
                an_abandoned_attempt_leaves_a_free_key_and_no_more,
            }
            editing {
                every_change_moves_the_version_on,
                a_change_of_nothing_is_none,
                racing_editors_of_a_plan_have_one_winner,
                racing_editors_of_a_tenant_have_one_winner,
                racing_editors_of_a_subscription_have_one_winner,
                racing_editors_of_a_project_have_one_winner,
                a_deletion_that_races_an_edit_is_meant_for_what_it_saw,
                a_changed_tenant_is_read_as_it_was_changed,
                who_locks_a_tenant_by_its_slug_sees_its_address,
                a_lowered_quota_holds_from_the_next_activation_on,
            }
            isolation {
                a_stranger_reads_nothing,
                a_stranger_writes_nothing,
                the_next_code_is_the_tenants_own,
                a_stranger_resumes_nothing,
                a_tenants_counts_are_its_own,
            }
            ledger {
                the_uses_of_a_code_are_listed_oldest_first,
                a_project_has_one_live_redemption,
                a_deleted_project_leaves_its_use_in_the_ledger,
                racing_counts_of_a_month_stay_within_its_quota,
                racing_activations_stay_within_the_quota,
                the_quota_is_whole_again_in_the_next_month,
            }
            legacy {
                a_legacy_project_is_hidden_from_tenants,
                operators_list_projects_by_ownership,
                racing_assignments_of_a_project_have_one_winner,
                an_assignment_keeps_slugs_unique,
                an_assignment_that_is_refused_says_why,
            }
            limits {
                a_bucket_gives_its_burst_then_one_each_interval,
                a_bucket_never_holds_more_than_its_burst,
                a_refusal_says_how_long_and_costs_nothing,
                racing_takers_get_exactly_the_burst,
                buckets_are_apart,
                racing_charges_are_all_counted,
                a_look_at_a_bucket_takes_nothing,
                guesses_are_counted_and_then_no_text_is_looked_at,
                racing_guesses_are_all_charged,
            }
            operator_sessions {
                an_operators_session_is_read_as_it_was_written,
                an_operators_session_is_found_by_any_of_its_digests,
                an_operators_token_digest_is_stored_once,
                an_operators_activity_is_written_once_a_while,
                racing_revocations_of_an_operators_session_have_one_winner,
                ending_all_sessions_of_an_operator_counts_the_live_ones,
                an_operators_session_expires_at_its_moment_and_not_before,
                a_rekeyed_operators_session_is_found_by_its_new_digest_alone,
            }
            operators {
                an_operator_is_read_as_it_was_written,
                an_operator_is_found_by_its_address_in_any_case,
                racing_operators_with_one_address_have_one_winner,
                a_changed_operator_keeps_its_address,
                the_last_owner_stays,
                racing_removals_of_owners_leave_one,
                racing_changes_of_an_operator_keep_every_field,
                a_deleted_operator_takes_its_sessions_and_challenges,
                a_dropped_transaction_leaves_operators_as_they_were,
                an_operator_that_is_refused_says_why,
            }
            otps {
                a_challenge_is_claimed_for_its_own_purpose_alone,
                the_budgets_of_accounts_are_apart,
                a_claim_answers_the_challenge_with_its_try,
                racing_tries_of_a_challenge_stay_within_its_budget,
                racing_tries_stay_within_the_accounts_budget,
                a_wide_challenge_is_outside_the_accounts_budget,
                a_decoy_has_no_account_to_spend,
                failures_leave_the_window_with_their_challenge,
                a_success_is_no_failure_and_forgives_none,
                racing_consumptions_of_a_challenge_have_one_winner,
                ended_challenges_are_worth_nothing,
            }
            outbox {
                a_claimed_message_is_what_was_written,
                messages_are_claimed_oldest_first,
                racing_claims_share_no_message,
                a_lease_hides_a_message_until_it_ends,
                an_overtaken_claimant_settles_nothing,
                a_settled_message_is_never_claimed_again,
                a_retried_message_is_due_at_its_time,
                a_messages_record_says_what_became_of_it,
                messages_are_listed_by_state_and_topic,
                a_dead_message_that_is_put_back_starts_anew,
                racing_decisions_on_a_dead_message_have_one_winner,
                a_discarded_message_is_gone_for_good,
                a_dead_message_is_wiped_at_its_end,
            }
            paging {
                pages_of_plans_are_complete,
                pages_of_tenants_are_complete,
                pages_of_codes_are_complete,
                pages_of_projects_are_complete,
                pages_of_sessions_are_complete,
                pages_of_audit_events_are_complete,
                a_list_of_nothing_counts_nothing,
                pages_of_operators_are_complete,
                pages_of_api_keys_are_complete,
                pages_of_operators_sessions_are_complete,
                a_page_is_stable_while_the_list_changes,
            }
            parking {
                what_is_parked_is_seen_when_it_is_committed_and_not_before,
                what_is_parked_and_dropped_leaves_no_trace,
                what_follows_goes_on_inside_what_is_parked,
                what_is_dropped_beside_what_is_parked_takes_nothing_along,
                what_fails_beside_what_is_parked_takes_nothing_along,
                a_tenant_is_created_with_its_codes_in_one_commit,
            }
            plans {
                a_plan_is_read_as_it_was_written,
                racing_plans_with_one_name_have_one_winner,
                a_changed_plan_is_read_as_it_was_changed,
                racing_renames_to_one_name_have_one_winner,
                a_plan_in_use_is_not_deleted,
                a_deletion_of_a_plan_that_races_its_first_tenants_leaves_none_without_it,
                a_plan_is_archived_behind_those_who_hold_it,
                who_holds_a_plan_sees_what_was_done_to_it,
            }
            projects {
                a_project_is_read_as_it_was_written,
                a_slug_is_unique_within_its_tenant_alone,
                racing_projects_with_one_slug_have_one_winner,
                a_refused_slug_leaves_the_transaction_usable,
                a_change_replaces_the_details_alone,
                racing_starts_of_a_project_have_one_winner,
                only_a_pending_project_is_started,
                a_transition_starts_from_its_status_alone,
                racing_transitions_of_a_project_have_one_winner,
                racing_deletions_of_a_project_have_one_winner,
            }
            refusals {
                an_unknown_code_is_refused,
                a_revoked_code_is_refused,
                an_expired_code_is_refused,
                an_exhausted_code_is_refused,
                an_activation_beyond_the_quota_is_refused,
                an_activation_without_a_subscription_that_allows_it_is_refused,
                a_project_that_is_active_or_unknown_takes_no_code,
            }
            returns {
                a_return_gives_back_all_that_the_activation_took,
                a_return_is_given_to_the_month_of_its_activation,
                racing_returns_of_a_project_give_back_once,
                racing_writes_of_a_return_have_one_winner,
                a_return_that_makes_no_sense_is_refused,
                a_tenant_returns_its_own_in_time,
                a_tenant_returns_as_often_as_it_may,
                the_ledger_adds_up_whatever_races,
            }
            search {
                a_search_for_projects_takes_text_as_it_is_in_any_case,
                a_changed_project_is_found_by_its_new_details,
                a_filter_by_status_narrows_a_search,
                a_search_for_tenants_takes_text_as_it_is_in_any_case,
                a_search_for_plans_takes_text_as_it_is_in_any_case,
            }
            sessions {
                a_session_is_read_as_it_was_written,
                a_session_is_found_by_any_of_its_digests,
                first_pages_asked_for_at_once_are_each_callers_own,
                a_token_digest_is_stored_once,
                activity_is_written_once_a_while,
                a_rekeyed_session_is_found_by_its_new_digest_alone,
                racing_touches_of_a_session_have_one_winner,
                activity_revives_no_ended_session,
                racing_revocations_of_a_session_have_one_winner,
                ending_all_sessions_counts_the_live_ones,
                ending_other_sessions_keeps_one,
                a_suspended_tenants_sessions_end_at_once,
            }
            signing_keys {
                a_signing_key_is_read_as_it_was_written,
                a_key_ring_is_admitted_and_grows,
                a_foreign_key_ring_is_refused_and_leaves_nothing,
                a_new_key_ring_is_accepted_by_hand,
                racing_key_rings_of_a_new_store_are_one,
                a_key_ring_that_is_being_admitted_is_not_overtaken,
            }
            stats {
                counts_of_codes_equal_a_recount_at_every_moment,
                projects_are_counted_by_status,
                what_happens_counts_on_its_day,
                a_deleted_tenant_is_counted_no_longer,
                a_dropped_transaction_is_not_counted,
                racing_activations_are_all_counted,
                racing_issues_and_revocations_are_all_counted,
                a_deletion_that_races_activations_leaves_nothing_counted,
                tenants_under_pressure_are_named_the_most_pressed_first,
            }
            subscriptions {
                a_changed_subscription_entitles_to_its_new_terms,
                a_subscription_is_to_a_plan_that_exists,
                an_entitlement_is_confirmed_while_it_stands,
                a_subscription_changes_behind_those_who_confirmed_it,
                a_subscription_that_is_being_changed_is_not_confirmed,
                a_subscription_is_confirmed_by_many,
                no_activation_comes_behind_a_change_that_forbids_it,
            }
            tenant_counts {
                tenants_are_counted_by_week,
                what_a_dropped_transaction_did_to_tenants_is_not_counted,
                racing_changes_of_tenants_are_all_counted,
            }
            tenants {
                a_tenant_is_read_as_it_was_written,
                tenants_are_read_together,
                racing_tenants_with_one_slug_have_one_winner,
                a_subscription_entitles_to_its_plan,
                a_tenant_has_one_subscription,
                racing_suspensions_of_a_tenant_have_one_winner,
                racing_projects_of_a_trial_have_one_winner,
                tenants_are_found_by_plan_state_and_suspension,
                what_a_tenant_owns_is_counted,
            }
            time {
                a_moment_is_read_as_it_was_written,
                moments_sort_as_moments,
                a_code_expires_at_its_moment_and_not_before,
                every_moment_finds_what_lies_before_it,
                a_session_expires_at_its_moment_and_not_before,
                a_challenge_expires_at_its_moment_and_not_before,
                a_message_is_due_at_its_moment_and_not_before,
                a_bucket_refills_at_its_moment_and_not_before,
                a_codes_moments_keep_their_microseconds,
            }
            timelines {
                a_codes_timeline_has_all_that_concerned_it,
            }
            transactions {
                a_dropped_transaction_leaves_no_trace,
                writes_are_seen_at_commit_and_not_before,
                a_reader_follows_what_is_committed,
                clones_of_a_store_share_its_rows,
            }
            webhooks {
                a_webhook_is_read_as_it_was_written,
                a_strangers_webhook_is_missing,
                racing_webhooks_of_an_owner_stay_within_the_most,
                an_event_reaches_those_who_want_it,
                an_entitlement_says_whether_anybody_listens,
                an_event_is_told_with_what_caused_it_or_not_at_all,
                a_webhooks_messages_are_claimed_by_themselves,
                racing_claims_of_a_webhook_share_no_message,
                a_message_to_a_webhook_is_settled_once_and_sent_again_by_hand,
                racing_redeliveries_have_one_winner,
                a_webhook_fails_since_its_first_failure,
                a_webhook_goes_with_its_messages_and_a_tenant_with_its_webhooks,
            }
        }
    };
}
