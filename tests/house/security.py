"""The known weaknesses of registries, what Moorage does about each, and the tests that hold it to that."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Weakness:
    """One class; ``tests`` are names of functions by their file below ``tests``."""

    title: str
    answer: str
    tests: dict[str, tuple[str, ...]]


WEAKNESSES = (
    Weakness(
        "Bodies and manifests without end",
        "Layers are streamed in pieces of 1 MiB or less. A manifest has 4 MiB at most, a request of the API 2 MiB, or 32 MiB where it "
        "carries a manifest or a part of a layer; more is refused as soon as it has come. Of strangers no body over 100 KB is taken in. The large "
        "bodies of all requests together have 128 MiB of a process; beyond that they are told to come again.",
        {
            "hostile/test_bodies.py": (
                "test_a_body_of_a_hundred_megabytes_is_refused_before_it_has_come",
                "test_a_manifest_of_four_mebibytes_and_one_byte_is_too_large_for_both_doors",
            ),
            "web/test_http.py": (
                "test_bodies_beyond_the_room_are_refused_until_one_of_them_is_answered",
                "test_what_is_too_large_is_told_before_it_has_come_and_gives_its_room_back",
            ),
            "hostile/test_budgets.py": (
                "test_bodies_of_all_requests_together_have_so_much_room_and_small_ones_always_have_some",
                "test_what_is_gathered_of_a_layer_is_written_when_the_share_of_its_upload_is_used_up",
            ),
        },
    ),
    Weakness(
        "Pages as large as the client likes",
        "`n` and `maxResults` are 1,000 at most. A page of referrers is cut where their manifests have 3 MiB, for each may carry "
        "annotations; BatchGetImage answers with 16 MiB of manifests at most and else refuses with `LimitExceededException`, before "
        "any of them is read.",
        {
            "hostile/test_routes.py": ("test_a_page_size_that_is_none_is_refused",),
            "hostile/test_budgets.py": (
                "test_a_batch_beyond_its_budget_is_told_to_ask_for_less",
                "test_referrers_come_in_pages_that_clients_take_and_none_is_left_out",
            ),
            "actions/test_images.py": (
                "test_a_manifest_counts_as_often_as_it_would_be_in_the_answer",
                "test_pages_of_referrers_have_so_many_and_so_many_bytes_and_hold_each_once",
            ),
        },
    ),
    Weakness(
        "Image and index confused (CVE-2021-41190)",
        "The type in a document and the one beside it must agree; a document that is image and index at once is refused, and so is one "
        "that readers who do not look at the case of a member's name would take for another.",
        {
            "hostile/test_bodies.py": (
                "test_a_content_type_that_belies_the_manifest_is_refused",
                "test_a_document_that_is_no_manifest_is_refused_by_both_doors",
            ),
            "core/test_manifests.py": (
                "test_two_media_types_must_agree",
                "test_a_member_whose_name_others_read_as_another_is_refused",
                "test_layers_of_two_generations_in_one_document_are_refused",
                "test_a_legacy_manifest_is_nothing_else_besides",
            ),
        },
    ),
    Weakness(
        "Digests of two algorithms confused",
        "A digest is compared as a whole, its algorithm included; the same bytes under two algorithms are two contents.",
        {
            "actions/test_uploads.py": (
                "test_the_digits_of_one_algorithm_are_never_those_of_another",
                "test_content_under_digests_of_two_algorithms_is_two_layers",
            ),
            "actions/test_images.py": (
                "test_a_digest_of_another_algorithm_than_the_one_asked_for_does_not_match",
                "test_an_image_under_digests_of_two_algorithms_is_two_images",
            ),
            "conformance/test_blobs.py": (
                "test_bytes_that_have_another_digest_are_refused_in_every_way",
                "test_an_algorithm_that_is_not_served_is_refused_at_once",
            ),
        },
    ),
    Weakness(
        "Deleted content that can still be read",
        "Every read asks what the repository holds at that moment. The bytes themselves go with the next collection.",
        {
            "hostile/test_old_tricks.py": ("test_a_layer_that_was_deleted_is_served_by_no_way_that_was_known_before",),
            "actions/test_layers.py": ("test_a_layer_that_is_deleted_here_stays_where_else_it_is_held",),
        },
    ),
    Weakness(
        "Content read by way of another repository",
        "Content is stored once, and read only through a repository that holds it; an upload belongs to its repository.",
        {
            "actions/test_layers.py": ("test_a_layer_of_another_repository_is_not_there",),
            "actions/test_images.py": ("test_layers_and_images_of_other_repositories_do_not_count",),
            "hostile/test_routes.py": (
                "test_what_a_repository_does_not_hold_is_said_to_be_missing",
                "test_an_upload_belongs_to_its_repository_alone",
            ),
        },
    ),
    Weakness(
        "Mounting what one may not pull",
        "A mount asks for the right to pull from the source, and without it answers as if the layer were nowhere: an upload begins.",
        {
            "actions/test_mounting.py": (
                "test_a_mount_needs_the_right_to_read_the_source",
                "test_without_a_source_a_layer_is_only_found_where_the_caller_may_pull",
                "test_without_a_source_no_other_registry_is_looked_into",
            ),
        },
    ),
    Weakness(
        "Overwriting and deleting with a right to push",
        "`ecr:PutImage` moves the tags of a mutable repository, as in ECR, and never those of an immutable one. Deleting is a right of "
        "its own (`ecr:BatchDeleteImage`) at both doors, and so is every way around.",
        {
            "actions/test_images.py": (
                "test_an_immutable_tag_does_not_move_not_even_to_where_it_is",
                "test_whoever_may_only_push_moves_no_immutable_tag_and_has_no_way_around",
            ),
            "actions/test_rights.py": (
                "test_nothing_is_done_for_a_caller_without_the_right",
                "test_who_may_not_learns_nothing_of_what_is_there",
            ),
        },
    ),
    Weakness(
        "Names that strangers can guess at",
        "Rights are asked for before anything is looked up. Who has none gets the same answer of a repository that is there and of one that is "
        "not, at every operation and every route; so does another account's user of what is shared with that account and of what is not.",
        {
            "rights/test_rights.py": (
                "test_who_must_be_denied_is_denied_everything_in_ecrs_words_and_learns_and_changes_nothing",
                "test_what_a_repository_lets_another_account_do_it_does_and_no_other_repository_tells_of_itself",
            ),
        },
    ),
    Weakness(
        "Stored content shown as a page",
        "Blobs are `application/octet-stream`, manifests of one of six types; whatever was pushed comes with a `Content-Security-Policy` "
        "that allows nothing, and every answer says `nosniff`.",
        {
            "hostile/test_old_tricks.py": (
                "test_what_was_pushed_is_never_shown_as_a_page",
                "test_what_a_refusal_repeats_is_no_page_either",
            ),
        },
    ),
    Weakness(
        "Redirects to elsewhere",
        "Nothing is redirected. `Location` and `Link` are paths of this server, and what the API shows is the server's own address: no "
        "header of a request gets into either.",
        {
            "hostile/test_old_tricks.py": (
                "test_a_host_that_a_request_names_is_never_where_an_answer_leads",
                "test_no_path_makes_a_location_that_leads_to_another_host",
                "test_the_api_shows_the_servers_own_address_whatever_host_was_signed",
                "test_the_challenge_names_a_host_and_nothing_more",
            ),
        },
    ),
    Weakness(
        "Secrets in logs",
        "No header, query or body is logged, of a defect neither.",
        {
            "server/test_logs.py": (
                "test_the_log_holds_no_secret_of_what_was_done_or_refused",
                "test_the_trace_of_a_defect_holds_no_secret_either",
                "test_no_request_can_forge_a_line",
            ),
        },
    ),
    Weakness(
        "Doing something and nobody knows",
        "Every call that changes something and every denial of a known caller is one line in [the audit log](audit.md) before it is answered, and "
        "stays there when the process is killed. A record has no secret and no bytes of layers, its texts are bounded, and it is ASCII: no client "
        "can begin a line of its own. Strangers are not recorded and cannot fill the disk.",
        {
            "web/test_audit.py": (
                "test_a_change_that_fails_is_recorded_with_its_code",
                "test_every_denial_is_recorded",
                "test_strangers_are_not_recorded",
                "test_whoever_has_no_good_token_is_not_recorded",
                "test_no_secret_of_a_key_is_recorded",
                "test_no_bytes_of_a_layer_are_recorded",
            ),
            "core/test_audit.py": (
                "test_whatever_a_model_calls_sensitive_is_hidden",
                "test_whatever_a_client_says_stays_within_its_line",
                "test_a_manifest_of_four_mebibytes_is_cut",
            ),
            "contracts/test_audit_log.py": ("test_no_line_of_several_processes_is_torn_or_lost",),
            "actions/test_audit.py": ("test_two_readers_at_once_add_each_line_once",),
            "server/test_audit.py": (
                "test_what_was_answered_is_in_the_log_when_the_server_is_killed_and_becomes_one_row",
                "test_no_secret_is_in_the_log_and_no_request_forges_a_line",
            ),
        },
    ),
    Weakness(
        "Tokens and URLs of an earlier namesake",
        "A token names its user by an id that no later user has. Repositories are numbered and never numbered twice, so uploads and page "
        "tokens of a deleted one lead nowhere; a signed URL opens no repository that was made after it (within the same second it may, and "
        "then to the very content that it names).",
        {
            "actions/test_identities.py": ("test_a_later_user_of_the_same_name_is_somebody_else",),
            "clients/test_boto3.py": ("test_a_user_made_anew_under_the_same_name_does_not_inherit_a_token",),
            "actions/test_repositories.py": ("test_a_later_repository_of_the_same_name_has_nothing_of_the_first",),
            "actions/test_uploads.py": ("test_an_upload_of_a_deleted_repository_is_no_layer_of_a_later_one",),
            "actions/test_layers.py": ("test_a_signed_url_opens_no_later_repository_of_the_same_name",),
            "hostile/test_old_tricks.py": (
                "test_an_upload_of_an_earlier_namesake_is_unknown",
                "test_a_page_token_of_an_earlier_namesake_shows_nothing_of_it",
            ),
        },
    ),
    Weakness(
        "Secrets that can be guessed by the clock",
        "Signatures, tokens and signed URLs are compared by `hmac.compare_digest`; tokens that are known are found by their hash.",
        {
            "house/test_secrets.py": (
                "test_no_secret_is_compared_letter_by_letter",
                "test_whatever_computes_a_signature_compares_it_in_constant_time",
            ),
        },
    ),
    Weakness(
        "Databases that get out",
        "Secrets of access keys are sealed (AES-256-GCM) with a key that is in a file of its own, each for its own access key; tokens and "
        "signed URLs are signed with what is derived from that file and from the database. Whoever has a dump, a backup or the files of the "
        "database alone can sign nothing. See [the decision](decisions/secrets.md), also for what it does not do.",
        {
            "server/test_secrets.py": (
                "test_neither_tables_nor_files_of_a_database_hold_a_secret",
                "test_no_token_and_no_url_can_be_forged_from_a_database",
                "test_a_sealed_secret_that_was_moved_to_another_users_key_opens_nothing",
                "test_a_start_without_the_file_says_what_to_do_and_makes_none",
                "test_a_start_with_the_file_of_another_store_is_refused",
                "test_a_store_with_clear_secrets_is_sealed_by_its_next_start_and_its_keys_go_on",
            ),
            "contracts/test_sealing.py": (
                "test_no_key_is_ever_put_over_what_another_has_sealed",
                "test_what_is_left_of_clear_secrets_in_files_is_wiped_once",
                "test_processes_that_make_the_vault_at_once_have_the_same",
            ),
            "contracts/test_vault.py": (
                "test_a_sealed_secret_cannot_be_moved_to_another_key",
                "test_a_sealed_secret_of_which_one_bit_differs_is_broken",
                "test_a_key_is_made_of_its_own_for_its_owner_alone",
            ),
            "durability/test_sealing.py": ("test_a_start_that_seals_may_end_at_any_moment",),
        },
    ),
    Weakness(
        "Heads and bodies that drip",
        "A head has 30 seconds. A body is given up after a minute of silence, and where it comes more slowly than 1 KiB in a second.",
        {
            "hostile/test_framing.py": ("test_a_head_that_drips_is_not_waited_for",),
            "core/test_pace.py": (
                "test_a_body_that_drips_is_over_within_two_minutes_and_a_half",
                "test_silence_is_waited_for_a_minute",
            ),
            "web/test_http.py": (
                "test_a_body_that_drips_is_given_up",
                "test_what_the_server_takes_to_write_is_not_the_clients_time",
            ),
        },
    ),
    Weakness(
        "Uploads without end",
        "A user has so many uploads open (`--max-uploads`); one that nobody goes on with is collected after a day.",
        {
            "actions/test_uploads.py": (
                "test_a_user_has_so_many_uploads_open_and_no_more_until_one_has_ended",
                "test_what_one_user_has_open_is_no_matter_of_another",
            ),
        },
    ),
    Weakness(
        "Deep and wide documents, and trees of indexes",
        "JSON that is too deep or has more than 500,000 values is refused unread; a manifest has 10,000 references at most. An index is "
        "never walked through: what it refers to must be there when it is put, and that is all.",
        {
            "hostile/test_bodies.py": ("test_a_body_that_is_not_json_is_refused_by_both_doors",),
            "core/test_documents.py": ("test_a_document_has_so_many_values_and_no_more",),
            "hostile/test_budgets.py": ("test_a_document_of_very_many_values_is_refused_unread_by_both_doors",),
            "hostile/test_old_tricks.py": ("test_indexes_of_indexes_are_never_walked_through",),
        },
    ),
    Weakness(
        "Requests within requests",
        "What two readers may end elsewhere is refused or is the last of its connection; a request with two hosts or two holders is refused; "
        "an escaped slash is no slash.",
        {
            "hostile/test_connections.py": (
                "test_a_request_with_two_framings_is_the_last_of_its_connection",
                "test_a_request_whose_end_is_doubtful_is_refused_and_the_connection_closed",
                "test_what_follows_a_refused_body_is_answered_by_itself_or_not_at_all",
                "test_a_head_that_http_does_not_allow_is_refused_before_the_doors",
                "test_pipelined_requests_are_answered_in_their_order",
            ),
            "hostile/test_framing.py": (
                "test_what_two_readers_may_end_elsewhere_is_refused_and_nothing_follows_it",
                "test_what_has_one_reading_only_is_answered_and_so_is_what_follows",
                "test_a_coding_of_http_1_1_has_no_place_in_1_0",
                "test_two_hosts_or_two_holders_are_one_too_many",
            ),
            "hostile/test_routes.py": ("test_a_path_that_only_resembles_the_registrys_leads_to_no_door_of_rows",),
        },
    ),
)


def table() -> str:
    """Return what stands between the markers."""
    lines: list[str] = []
    for each in WEAKNESSES:
        lines += ["", f"### {each.title}", "", each.answer, ""]
        for file, names in each.tests.items():
            lines += [f"- `tests/{file}`: " + ", ".join(f"`{name}`" for name in names)]
    return "\n".join([*lines, ""])
