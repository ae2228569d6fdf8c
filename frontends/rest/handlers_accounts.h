/* Sessions, tokens, and who changed what. */
#pragma once

#include "rest/handlers.h"

extern const struct body_rule handlers_session_request[], handlers_token_request[];
extern const struct query_rule handlers_tokens_query[], handlers_audit_query[];

int handlers_session(struct call *call);
int handlers_sign_in(struct call *call);
int handlers_sign_out(struct call *call);
int handlers_tokens(struct call *call);
int handlers_add_token(struct call *call);
int handlers_remove_token(struct call *call);
int handlers_audit(struct call *call);
